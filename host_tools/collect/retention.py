"""Forgetting by rule: old readings go once they are summarised, old summaries after them.

Not the rules' text (rules.py). Records (the numbers of the journals) stay: they are what tells a
repeat from something new, and weigh about a byte per reading. Undated readings stay too, and
the one reading of each meter from which the next rise of its counters is measured.

    forget(engine, rules.keep, now_ms)      # {"readings": 8640, "summaries": 0}
"""

from collections.abc import Sequence

import sqlalchemy as sa

from host_tools.collect import tables as t
from host_tools.collect.arrivals import fence, position
from host_tools.collect.database import writing
from host_tools.collect.rules import Keep, matches
from host_tools.collect.summaries import CURSOR

_DAY_MS = 86_400_000
_CHUNK = 5000  # readings forgotten in one transaction: intake waits no longer than that takes


def forget(engine: sa.Engine, keep: Sequence[Keep], now_ms: int) -> dict[str, int]:
    """Delete what the rules no longer keep; return how many readings and summaries went.

    Nothing goes while a reading waits to be summarised: a counter that is summarised later would
    miss its beginning.
    """
    gone = {"readings": 0, "summaries": 0}
    with engine.begin() as connection:
        behind = position(engine, CURSOR) < fence(connection)
    if behind:
        return gone
    with engine.connect() as connection:
        meters = connection.execute(
            sa.select(t.meter.c.id, t.meter.c.name, t.gateway.c.name.label("gateway")).join(
                t.gateway
            )
        ).all()
    for meter in meters:
        for rule in keep:
            if matches(rule.meters, meter.gateway, meter.name):
                if rule.raw_days:
                    before_ms = now_ms - rule.raw_days * _DAY_MS
                    gone["readings"] += _forget_readings(engine, meter.id, before_ms)
                if rule.summary_days:
                    before_ms = now_ms - rule.summary_days * _DAY_MS
                    gone["summaries"] += _forget_summaries(engine, meter.id, before_ms)
                break
    return gone


def _forget_readings(engine: sa.Engine, meter_id: int, before_ms: int) -> int:
    # From the start of a day: a day's summary is never made again from half its readings.
    before_ms -= before_ms % _DAY_MS
    gone = 0
    c = t.reading.c
    of = (c.meter_id == meter_id) & (c.at_ms < before_ms)
    with engine.connect() as connection:
        first_ms = connection.scalar(sa.select(sa.func.min(c.at_ms)).where(of))
        last_ms = connection.scalar(sa.select(sa.func.max(c.at_ms)).where(of))
    if first_ms == last_ms:
        return 0  # none, or the one that stays
    with writing(engine).begin() as connection:
        connection.execute(
            t.meter.update().where(t.meter.c.id == meter_id).values(forgotten_ms=before_ms)
        )
    while True:
        with writing(engine).begin() as connection:
            old = connection.scalars(
                sa.select(c.id)
                .where((c.meter_id == meter_id) & (c.at_ms < last_ms))
                .order_by(c.at_ms)
                .limit(_CHUNK)
            ).all()
            for start in range(0, len(old), 500):
                ids = old[start : start + 500]
                connection.execute(t.value.delete().where(t.value.c.reading_id.in_(ids)))
                connection.execute(t.reading.delete().where(c.id.in_(ids)))
            gone += len(old)
            if not old:
                break
    return gone


def _forget_summaries(engine: sa.Engine, meter_id: int, before_ms: int) -> int:
    points = sa.select(t.point.c.id).where(t.point.c.meter_id == meter_id)
    c = t.summary.c
    with writing(engine).begin() as connection:
        return connection.execute(
            t.summary.delete().where(c.point_id.in_(points) & (c.start_ms < before_ms))
        ).rowcount
