"""The year of one meter given to every meter of a fleet, by the database itself, as it would lie.

A year of ten minutes for a thousand gateways is 52 million readings, 105 million values and 70
million sums of a quarter of an hour: through a collector an hour, by these statements minutes.
Records of all meters follow each other as they would have come, so that a meter's readings lie as
far apart on the disk as in life.

    engine = fleet_of_gateways.fill(url, 1000, 0, 365)
    clone(engine, 365)
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.summaries import CURSOR

DAY_MS = 86_400_000
_NUMBER = 1_000_000  # of the first cloned record, and of each its first number
_TOGETHER = 20  # records of each meter in one transaction
_INDEX = "reading_by_meter_and_time"


def clone(engine, days, tell: Callable[[str], None] = lambda words: None):
    """Give every meter what the first has: all sums of a day, the last days of the rest."""
    since_ms = time.time_ns() // 1_000_000 - days * DAY_MS
    with engine.connect() as connection:  # one for all: what it has read stays in its cache
        is_sqlite = engine.dialect.name == "sqlite"
        if is_sqlite:
            # No power cut is feared, and a year's statistics need not see every row.
            for pragma in ("synchronous=OFF", "cache_size=-200000", "analysis_limit=1000"):
                connection.connection.execute(f"PRAGMA {pragma}")
        _clone(connection, since_ms, tell)
        connection.execute(sa.text("ANALYZE"))
        connection.commit()
        if is_sqlite:
            for pragma in ("synchronous=FULL", "cache_size=-2000"):
                connection.connection.execute(f"PRAGMA {pragma}")


def _clone(connection, since_ms, tell):
    connection.execute(sa.text(f"DROP INDEX {_INDEX}"))
    c = t.reading.c
    of = sa.select(c.id // t.ROWS_MAX).where((c.meter_id == 1) & (c.at_ms >= since_ms))
    records = sorted(connection.scalars(of.distinct()))
    meters = connection.scalar(sa.select(sa.func.max(t.meter.c.id)))
    for place, record in enumerate(records):
        first = _NUMBER + place * (meters + 1)  # + the meter's number: its new record
        for statement in _OF_A_RECORD:
            now = {"record": record, "first": first, "place": _NUMBER + place}
            connection.execute(sa.text(statement.format(**now)))
        if place % _TOGETHER == 0:
            connection.commit()
            tell(f"{place:,} of {len(records):,} records of each meter")
    next(index for index in t.reading.indexes if index.name == _INDEX).create(connection)
    connection.commit()
    for first in range(2, meters + 1, 50):
        connection.execute(sa.text(_SUMS.format(low=first, high=first + 49, since=since_ms)))
        connection.commit()
        tell(f"sums of {first:,} of {meters:,} meters")
    connection.execute(sa.text(_EVENTS))
    last = connection.scalar(sa.select(sa.func.max(t.arrival.c.id)))
    mine = t.cursor.c.name == CURSOR
    connection.execute(t.cursor.update().where(mine).values(arrival_id=last))
    if connection.dialect.name == "postgresql":
        for table in (t.record, t.arrival):  # its own numbers go on behind ours
            name = f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'),"
            connection.execute(sa.text(f"{name} (SELECT MAX(id) FROM {table.name}))"))


# The plus keeps SQLite from making an index of its own for each statement.
_MINE = "r.id BETWEEN {record} * 65536 AND {record} * 65536 + 65535 AND +r.meter_id = 1"
_NEW = "({first} + m.id) * 65536 + r.id % 65536"
_OF_A_RECORD = (
    "INSERT INTO record (id, gateway_id, journal, seq, kind, crc, bytes, readings, fate,"
    " received_ms) SELECT {first} + m.id, m.gateway_id, j.journal, {place}, o.kind, o.crc,"
    " o.bytes, o.readings, o.fate, o.received_ms FROM meter AS m"
    " JOIN journal AS j ON j.gateway_id = m.gateway_id CROSS JOIN record AS o"
    " WHERE o.id = {record} AND m.id > 1",
    "INSERT INTO arrival (record_id) SELECT {first} + m.id FROM meter AS m WHERE m.id > 1"
    " ORDER BY 1",
    "INSERT INTO reading (id, meter_id, at_ms, clock, boot, uptime_ms)"
    f" SELECT {_NEW}, m.id, r.at_ms, r.clock, r.boot, r.uptime_ms"
    f" FROM meter AS m CROSS JOIN reading AS r WHERE {_MINE} AND m.id > 1 ORDER BY m.id, r.id",
    "INSERT INTO value (reading_id, point_id, value, high, quality)"
    f" SELECT {_NEW}, o.id, v.value + m.id, v.high, v.quality FROM meter AS m"
    " CROSS JOIN reading AS r CROSS JOIN value AS v CROSS JOIN point AS p CROSS JOIN point AS o"
    " WHERE v.reading_id = r.id AND p.id = v.point_id AND o.meter_id = m.id AND o.name = p.name"
    f" AND {_MINE} AND m.id > 1 ORDER BY m.id, r.id, o.id",
)
# As many as a door that is opened twice a week.
_EVENTS = (
    "INSERT INTO event (record_id, gateway_id, at_ms, what, meter, why, detail)"
    " SELECT id, gateway_id, received_ms, 'door_open', 'main', 'contact', '{}' FROM record"
    f" WHERE id % 5 = 0 AND id >= {_NUMBER}"
)
_STEPS = [column.name for column in t.summary.columns if column.name != "point_id"]
_SUMS = (
    f"INSERT INTO summary (point_id, {', '.join(_STEPS)})"
    f" SELECT o.id, {', '.join('s.' + name for name in _STEPS)}"
    " FROM point AS o CROSS JOIN point AS p CROSS JOIN summary AS s"
    " WHERE o.meter_id BETWEEN {low} AND {high} AND p.meter_id = 1 AND p.name = o.name"
    " AND s.point_id = p.id AND (s.step_s = 86400 OR s.start_ms >= {since})"
    " ON CONFLICT DO NOTHING"
)
