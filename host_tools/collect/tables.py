"""What the collector keeps: tables and their meaning.

Not the views that people query (views.py), the queries (queries.py), the writing (store.py) or
the opening (database.py). Times are milliseconds since 1970 UTC. A value is
`(value + high * 2**64) * 10 ** exponent` in `unit` (numbers.py).

    sa.select(tables.reading).where(tables.reading.c.meter_id == 3)
"""

import sqlalchemy as sa

# The version of these tables; a change is a step in database.py, and tests/host keeps the old.
VERSION = 6
# A reading's id is its record's id times this, plus its row: unique without asking the database.
ROWS_MAX = 1 << 16

# SQLite numbers rows by itself only in a column of type INTEGER.
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData()

layout_version = sa.Table(
    "layout_version",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True),
    comment="One row: the version of these tables",
)

gateway = sa.Table(
    "gateway",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("first_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("last_seen_ms", sa.BigInteger, nullable=False),
    sa.Column("online", sa.Boolean, nullable=False, default=False),
    sa.Column("site", sa.Text, nullable=False, default=""),
    sa.Column("board", sa.Text, nullable=False, default=""),
    sa.Column("version", sa.Text, nullable=False, default=""),
    sa.Column("runtime", sa.Text, nullable=False, default=""),
    sa.Column("birth", sa.Text, comment="the last birth, JSON as it came"),
    sa.Column("state", sa.Text, comment="the last live state, JSON as it came"),
    sa.Column("state_ms", sa.BigInteger, comment="when that state came"),
    sa.Column("journal", sa.BigInteger, comment="of the last birth"),
    comment="A gateway that was heard of",
)

journal = sa.Table(
    "journal",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("journal", sa.BigInteger, primary_key=True),
    sa.Column("through", sa.BigInteger, nullable=False, comment="acknowledged: all dealt with"),
    sa.Column("acked_ms", sa.BigInteger, comment="when `through` was last sent"),
    sa.Index("journal_by_number", "journal"),
    comment="One journal of one gateway; a gateway that was wiped starts another",
)

record = sa.Table(
    "record",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("journal", sa.BigInteger, nullable=False),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False),
    sa.Column("crc", sa.BigInteger, nullable=False, comment="tells a repeat from a forgery"),
    sa.Column("bytes", sa.Integer, nullable=False, comment="length on the wire"),
    sa.Column("readings", sa.Integer, nullable=False),
    sa.Column("fate", sa.Text, nullable=False, comment="stored, parked or quarantined"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("gateway_id", "journal", "seq"),
    comment="Every record but LOST, once; the guard against duplicates",
)

hole = sa.Table(
    "hole",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("journal", sa.BigInteger, primary_key=True),
    sa.Column("first", sa.BigInteger, primary_key=True),
    sa.Column("last", sa.BigInteger, primary_key=True),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("from_ms", sa.BigInteger, nullable=False, comment="0: not known"),
    sa.Column("to_ms", sa.BigInteger, nullable=False, comment="0: not known"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    comment="Record numbers that the gateway declared gone; some may have come all the same",
)

configuration = sa.Table(
    "configuration",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("hash", sa.Text, nullable=False, comment="8 hex digits, as in every block"),
    sa.Column("schema", sa.Text, nullable=False, comment="JSON, keys sorted"),
    sa.UniqueConstraint("gateway_id", "hash"),
    comment="What the blocks of one configuration mean",
)

meter = sa.Table(
    "meter",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("protocol", sa.Text, nullable=False),
    sa.Column("map", sa.Text, nullable=False),
    sa.Column("interval_s", sa.Integer, nullable=False),
    sa.Column("personal", sa.Boolean, nullable=False),
    sa.Column("forgotten_ms", sa.BigInteger, comment="by rule: readings before this may be gone"),
    sa.UniqueConstraint("gateway_id", "name"),
    comment="A metering place: the device that hangs there may be exchanged",
)

point = sa.Table(
    "point",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("meter_id", sa.ForeignKey("meter.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("exponent", sa.SmallInteger, nullable=False),
    sa.Column("kind", sa.SmallInteger, nullable=False, comment="0 gauge, 1 counter, 2 state"),
    sa.Column("code", sa.Text, nullable=False, comment="the protocol's own identifier"),
    sa.UniqueConstraint("meter_id", "name", "unit", "exponent", "kind", "code"),
    comment="What is measured; a change of unit or resolution makes a new row",
)

layout = sa.Table(
    "layout",
    metadata,
    sa.Column("configuration_id", sa.ForeignKey("configuration.id"), primary_key=True),
    sa.Column("meter_index", sa.SmallInteger, primary_key=True),
    sa.Column("column", sa.SmallInteger, primary_key=True),
    sa.Column("meter_id", sa.ForeignKey("meter.id"), nullable=False),
    sa.Column("point_id", sa.ForeignKey("point.id"), nullable=False),
    comment="Which column of a block is which point",
)

reading = sa.Table(
    "reading",
    metadata,
    # In SQLite the number of the row itself; databases of before have an index of it beside.
    sa.Column("id", _Id, primary_key=True, autoincrement=False),
    # Readings and values name their meter, reading and point without a constraint: a database
    # that looks each of them up stores a third as fast, and only blocks.py writes them.
    sa.Column("meter_id", sa.BigInteger, nullable=False),
    sa.Column("at_ms", sa.BigInteger, comment="null: the clock was unset, no TIME came yet"),
    sa.Column(
        "clock", sa.SmallInteger, nullable=False, comment="0 uptime, 1 wall, 2 free-running"
    ),
    sa.Column("boot", sa.BigInteger, nullable=False),
    sa.Column("uptime_ms", sa.BigInteger, comment="as measured, where clock is 0"),
    sa.Index("reading_by_meter_and_time", "meter_id", "at_ms"),
    sa.Index(
        "reading_before_clock",
        "boot",
        sqlite_where=sa.text("clock = 0"),
        postgresql_where=sa.text("clock = 0"),
    ),
    comment="The points of one meter at one instant; id = record.id * 65536 + row",
)

value = sa.Table(
    "value",
    metadata,
    sa.Column("reading_id", sa.BigInteger, primary_key=True),
    sa.Column("point_id", sa.BigInteger, primary_key=True),
    sa.Column("value", sa.BigInteger, comment="null: see quality"),
    sa.Column("high", sa.SmallInteger, nullable=False, comment="1: add 2**64 to value"),
    sa.Column("quality", sa.SmallInteger, nullable=False, comment="drivers/reading.py"),
    comment="One point of one reading",
    sqlite_with_rowid=False,
)

parked = sa.Table(
    "parked",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="the block"),
    comment="Blocks whose schema has not come yet; safe here, so acknowledged",
)

quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("gateway", sa.Text, nullable=False, comment="as the topic says; may be a lie"),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False, comment="the whole length"),
    sa.Column("data", sa.LargeBinary, nullable=False, comment="at most the first 4,096 bytes"),
    sa.Column("received_ms", sa.BigInteger, nullable=False),
    comment="Input that was not believed, newest 10,000",
)

boot = sa.Table(
    "boot",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("boot", sa.BigInteger, nullable=False),
    sa.Column("cause", sa.Text, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("from_ms", sa.BigInteger, nullable=False, comment="last known alive, 0: not known"),
    sa.Column("to_ms", sa.BigInteger, nullable=False, comment="first reading possible"),
    sa.Index("boot_by_gateway", "gateway_id", "record_id"),
    comment="A start: readings between from_ms and to_ms may be missing",
)

event = sa.Table(
    "event",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False, comment="0: the clock was unset"),
    sa.Column("what", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="the JSON as it came"),
    sa.Index("event_by_gateway", "gateway_id", "record_id"),
    comment="A contact, a fault's entry and exit",
)

health = sa.Table(
    "health",
    metadata,
    sa.Column("record_id", sa.ForeignKey("record.id"), primary_key=True),
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), nullable=False),
    sa.Column("detail", sa.Text, nullable=False, comment="the JSON as it came"),
    comment="Counters that the gateway kept in its journal",
)

clock_fix = sa.Table(
    "clock_fix",
    metadata,
    sa.Column("gateway_id", sa.ForeignKey("gateway.id"), primary_key=True),
    sa.Column("boot", sa.BigInteger, primary_key=True),
    sa.Column("uptime_ms", sa.BigInteger, primary_key=True),
    sa.Column("wall_ms", sa.BigInteger, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    comment="A TIME record: what the wall clock was at an uptime",
)


arrival = sa.Table(
    "arrival",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("record_id", sa.ForeignKey("record.id"), nullable=False),
    comment="Blocks in the order in which their readings became readable, again when re-dated",
)

cursor = sa.Table(
    "cursor",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("arrival_id", sa.BigInteger, nullable=False, comment="all through this is done"),
    comment="How far each output, and the summaries, have followed the arrivals",
)

summary = sa.Table(
    "summary",
    metadata,
    sa.Column("point_id", sa.ForeignKey("point.id"), primary_key=True),
    sa.Column("step_s", sa.Integer, primary_key=True),
    sa.Column("start_ms", sa.BigInteger, primary_key=True),
    sa.Column("readings", sa.Integer, nullable=False, comment="with a value, within the step"),
    sa.Column("minimum", sa.BigInteger, comment="gauges only, as the other values here"),
    sa.Column("maximum", sa.BigInteger),
    sa.Column("mean", sa.BigInteger, comment="rounded at the point's exponent"),
    sa.Column("consumption", sa.BigInteger, comment="counters only"),
    sa.Column("estimated", sa.BigInteger, nullable=False, comment="of it spread over a gap"),
    sa.Column("resets", sa.Integer, nullable=False, comment="times the counter went back"),
    comment="One point over one step of time; start_ms is included, the next start is not",
    sqlite_with_rowid=False,
)

exchange = sa.Table(
    "exchange",
    metadata,
    sa.Column("meter_id", sa.ForeignKey("meter.id"), primary_key=True),
    sa.Column("at_ms", sa.BigInteger, primary_key=True),
    sa.Column("point", sa.Text, primary_key=True, comment="name of the counter"),
    sa.Column("final", sa.Text, comment="what the old device showed, decimal; null: not known"),
    sa.Column("initial", sa.Text, comment="what the new one shows, decimal; null: not known"),
    comment="A device was exchanged at a metering place",
)

alarm = sa.Table(
    "alarm",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("rule", sa.Text, nullable=False),
    sa.Column("gateway", sa.Text, nullable=False),
    sa.Column("meter", sa.Text, nullable=False),
    sa.Column("opened_ms", sa.BigInteger, nullable=False),
    sa.Column("closed_ms", sa.BigInteger, comment="null: it is still so"),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("told", sa.Text, nullable=False, comment="JSON: who was told what"),
    sa.Index("alarm_open", "rule", "gateway", "meter"),
    comment="A rule that came true; one row per rule, gateway and meter until it is closed",
)
