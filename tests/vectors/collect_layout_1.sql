BEGIN TRANSACTION;
CREATE TABLE boot (
	record_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	boot BIGINT NOT NULL, 
	cause TEXT NOT NULL, 
	version TEXT NOT NULL, 
	from_ms BIGINT NOT NULL, 
	to_ms BIGINT NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES record (id), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE clock_fix (
	gateway_id INTEGER NOT NULL, 
	boot BIGINT NOT NULL, 
	uptime_ms BIGINT NOT NULL, 
	wall_ms BIGINT NOT NULL, 
	source TEXT NOT NULL, 
	PRIMARY KEY (gateway_id, boot, uptime_ms), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE configuration (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	hash TEXT NOT NULL, 
	schema TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (gateway_id, hash), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "configuration" VALUES(1,1,'0a0b0c0d','[{"interval_s":10,"map":"sdm630","name":"main","personal":false,"points":[["energy","Wh",1,1,"0x0048"],["power","W",-1,0,"0x0034"]],"protocol":"modbus"}]');
CREATE TABLE event (
	record_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	at_ms BIGINT NOT NULL, 
	what TEXT NOT NULL, 
	meter TEXT NOT NULL, 
	why TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES record (id), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE gateway (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	first_seen_ms BIGINT NOT NULL, 
	last_seen_ms BIGINT NOT NULL, 
	online BOOLEAN NOT NULL, 
	site TEXT NOT NULL, 
	board TEXT NOT NULL, 
	version TEXT NOT NULL, 
	runtime TEXT NOT NULL, 
	birth TEXT, 
	state TEXT, 
	state_ms BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "gateway" VALUES(1,'gw-a',1700000000000,1700000000000,1,'s','','','','{"gateway": "gw-a", "site": "s", "journal": 439041101, "first": 1, "next": 1, "schema": {"config": "0a0b0c0d", "gateway": "gw-a", "site": "s", "meters": [{"name": "main", "protocol": "modbus", "map": "sdm630", "interval_s": 10, "personal": false, "points": [["energy", "Wh", 1, 1, "0x0048"], ["power", "W", -1, 0, "0x0034"]]}]}}',NULL,NULL);
CREATE TABLE health (
	record_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES record (id), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE hole (
	gateway_id INTEGER NOT NULL, 
	journal BIGINT NOT NULL, 
	first BIGINT NOT NULL, 
	last BIGINT NOT NULL, 
	why TEXT NOT NULL, 
	from_ms BIGINT NOT NULL, 
	to_ms BIGINT NOT NULL, 
	received_ms BIGINT NOT NULL, 
	PRIMARY KEY (gateway_id, journal, first, last), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
CREATE TABLE journal (
	gateway_id INTEGER NOT NULL, 
	journal BIGINT NOT NULL, 
	through BIGINT NOT NULL, 
	acked_ms BIGINT, 
	PRIMARY KEY (gateway_id, journal), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "journal" VALUES(1,439041101,2,1700000000000);
CREATE TABLE layout (
	configuration_id INTEGER NOT NULL, 
	meter_index SMALLINT NOT NULL, 
	"column" SMALLINT NOT NULL, 
	meter_id INTEGER NOT NULL, 
	point_id INTEGER NOT NULL, 
	PRIMARY KEY (configuration_id, meter_index, "column"), 
	FOREIGN KEY(configuration_id) REFERENCES configuration (id), 
	FOREIGN KEY(meter_id) REFERENCES meter (id), 
	FOREIGN KEY(point_id) REFERENCES point (id)
);
INSERT INTO "layout" VALUES(1,0,0,1,1);
INSERT INTO "layout" VALUES(1,0,1,1,2);
CREATE TABLE layout_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "layout_version" VALUES(1);
CREATE TABLE meter (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	protocol TEXT NOT NULL, 
	map TEXT NOT NULL, 
	interval_s INTEGER NOT NULL, 
	personal BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (gateway_id, name), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "meter" VALUES(1,1,'main','modbus','sdm630',10,0);
CREATE TABLE parked (
	record_id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	hash TEXT NOT NULL, 
	data BLOB NOT NULL, 
	PRIMARY KEY (record_id), 
	FOREIGN KEY(record_id) REFERENCES record (id), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "parked" VALUES(2,1,'ffffffff',X'01FFFFFFFF0001000000070000018BCFE5B6200001020001D40F016462CF216E');
CREATE TABLE point (
	id INTEGER NOT NULL, 
	meter_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	unit TEXT NOT NULL, 
	exponent SMALLINT NOT NULL, 
	kind SMALLINT NOT NULL, 
	code TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (meter_id, name, unit, exponent, kind, code), 
	FOREIGN KEY(meter_id) REFERENCES meter (id)
);
INSERT INTO "point" VALUES(1,1,'energy','Wh',1,1,'0x0048');
INSERT INTO "point" VALUES(2,1,'power','W',-1,0,'0x0034');
CREATE TABLE quarantine (
	id INTEGER NOT NULL, 
	gateway TEXT NOT NULL, 
	topic TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	bytes INTEGER NOT NULL, 
	data BLOB NOT NULL, 
	received_ms BIGINT NOT NULL, 
	PRIMARY KEY (id)
);
CREATE TABLE reading (
	id BIGINT NOT NULL, 
	meter_id INTEGER NOT NULL, 
	at_ms BIGINT, 
	clock SMALLINT NOT NULL, 
	boot BIGINT NOT NULL, 
	uptime_ms BIGINT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(meter_id) REFERENCES meter (id)
);
INSERT INTO "reading" VALUES(65536,1,1700000000000,1,7,NULL);
INSERT INTO "reading" VALUES(65537,1,1700000010000,1,7,NULL);
CREATE TABLE record (
	id INTEGER NOT NULL, 
	gateway_id INTEGER NOT NULL, 
	journal BIGINT NOT NULL, 
	seq BIGINT NOT NULL, 
	kind SMALLINT NOT NULL, 
	crc BIGINT NOT NULL, 
	bytes INTEGER NOT NULL, 
	readings INTEGER NOT NULL, 
	fate TEXT NOT NULL, 
	received_ms BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (gateway_id, journal, seq), 
	FOREIGN KEY(gateway_id) REFERENCES gateway (id)
);
INSERT INTO "record" VALUES(1,1,439041101,1,1,933163563,55,2,'stored',1700000000000);
INSERT INTO "record" VALUES(2,1,439041101,2,1,1953722579,48,0,'parked',1700000000000);
CREATE TABLE value (
	reading_id BIGINT NOT NULL, 
	point_id BIGINT NOT NULL, 
	value BIGINT, 
	high SMALLINT NOT NULL, 
	quality SMALLINT NOT NULL, 
	PRIMARY KEY (reading_id, point_id), 
	FOREIGN KEY(reading_id) REFERENCES reading (id), 
	FOREIGN KEY(point_id) REFERENCES point (id)
)
 WITHOUT ROWID

;
INSERT INTO "value" VALUES(65536,1,1000,0,0);
INSERT INTO "value" VALUES(65536,2,50,0,0);
INSERT INTO "value" VALUES(65537,1,1001,0,0);
INSERT INTO "value" VALUES(65537,2,50,0,0);
CREATE INDEX reading_before_clock ON reading (boot) WHERE clock = 0;
CREATE INDEX reading_by_meter_and_time ON reading (meter_id, at_ms);
CREATE VIEW readings AS 
            SELECT g.site, g.name AS gateway, m.name AS meter, p.name AS point,
                   r.at_ms, strftime('%Y-%m-%dT%H:%M:%fZ', r.at_ms / 1000.0, 'unixepoch') AS at,
                   v.value AS integer, v.high, p.exponent, p.unit,
                   (CAST(v.value AS REAL) + v.high * 18446744073709551616.0) * CASE WHEN p.exponent >= 0 THEN CAST('1e' || p.exponent AS REAL) ELSE 1.0 / CAST('1e' || (-p.exponent) AS REAL) END
                       AS approximate,
                   CASE v.quality WHEN 0 THEN 'good' WHEN 1 THEN 'missing' WHEN 2 THEN 'unavailable' WHEN 3 THEN 'refused' WHEN 4 THEN 'no_reply' WHEN 5 THEN 'bad_frame' WHEN 6 THEN 'overflow' WHEN 7 THEN 'implausible' ELSE 'unknown' END AS quality,
                   CASE p.kind WHEN 0 THEN 'gauge' WHEN 1 THEN 'counter' WHEN 2 THEN 'state' WHEN 3 THEN 'text' ELSE 'unknown' END AS kind,
                   r.clock, r.id AS reading_id, m.id AS meter_id, p.id AS point_id
            FROM value v
            JOIN reading r ON r.id = v.reading_id
            JOIN point p ON p.id = v.point_id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id;
CREATE VIEW gaps AS 
            SELECT g.name AS gateway, m.name AS meter, r.at_ms AS from_ms, r.at_ms AS to_ms,
                   CASE MAX(v.quality) WHEN 0 THEN 'good' WHEN 1 THEN 'missing' WHEN 2 THEN 'unavailable' WHEN 3 THEN 'refused' WHEN 4 THEN 'no_reply' WHEN 5 THEN 'bad_frame' WHEN 6 THEN 'overflow' WHEN 7 THEN 'implausible' ELSE 'unknown' END AS why, 1 AS readings
            FROM reading r
            JOIN value v ON v.reading_id = r.id
            JOIN meter m ON m.id = r.meter_id
            JOIN gateway g ON g.id = m.gateway_id
            GROUP BY g.name, m.name, r.id, r.at_ms
            HAVING COUNT(v.value) = 0
            UNION ALL
            SELECT g.name, '', h.from_ms, h.to_ms, 'lost: ' || h.why, NULL
            FROM hole h JOIN gateway g ON g.id = h.gateway_id
            UNION ALL
            SELECT g.name, '', b.from_ms, b.to_ms, 'restart: ' || b.cause, NULL
            FROM boot b JOIN gateway g ON g.id = b.gateway_id;
COMMIT;
