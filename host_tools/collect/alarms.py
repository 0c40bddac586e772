"""Alarms: which rules are true now, opened and closed in the database.

Not the rules' text (rules.py) and not who is told (delivery.py). What summaries tell is asked of
them, so an alarm costs the same whether a meter is read every ten seconds or once an hour.

    watch(engine, rules.alarms, now_ms)     # opens and closes rows of the table alarm
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

import sqlalchemy as sa

from drivers.reading import COUNTER, GAUGE, IMPLAUSIBLE
from host_tools.collect import tables as t
from host_tools.collect.database import writing
from host_tools.collect.numbers import join, text
from host_tools.collect.rules import Alarm, matches
from host_tools.collect.summaries import STEP_S

_HOUR_MS = 3_600_000
_PAGE = 500  # events that are looked at together
_STALE_HOURS = 48  # older news say nothing about now; that is what `silent` is for


@dataclass(frozen=True)
class Finding:
    """A rule that is true of one meter (or, meter "", of a gateway) now, and why."""

    rule: str
    gateway: str
    meter: str
    detail: str


def watch(engine: sa.Engine, alarms: Sequence[Alarm], now_ms: int) -> list[Finding]:
    """Look at every rule; open and close alarms accordingly; return what is true now."""
    with engine.connect() as connection:
        found = [finding for alarm in alarms for finding in find(connection, alarm, now_ms)]
    now = {(one.rule, one.gateway, one.meter): one for one in found}
    c = t.alarm.c
    with writing(engine).begin() as connection:
        for row in connection.execute(sa.select(t.alarm).where(c.closed_ms.is_(None))).all():
            if now.pop((row.rule, row.gateway, row.meter), None) is None:
                connection.execute(t.alarm.update().where(c.id == row.id).values(closed_ms=now_ms))
        for finding in now.values():
            connection.execute(
                t.alarm.insert(), {**vars(finding), "opened_ms": now_ms, "told": "[]"}
            )
    return found


def find(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    """Yield where one rule is true."""
    yield from _KINDS[alarm.kind](connection, alarm, now_ms)


def _silent(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    c = t.gateway.c
    since = now_ms - alarm.after_h * _HOUR_MS
    for row in connection.execute(sa.select(t.gateway).where(c.last_seen_ms < since)):
        if matches(alarm.meters, row.name, ""):
            hours = (now_ms - row.last_seen_ms) // _HOUR_MS
            yield Finding(alarm.name, row.name, "", json.dumps({"silent_h": hours}))


def _points(connection: sa.Connection, alarm: Alarm, *kinds: int) -> Iterator[sa.Row]:
    """Yield (point, meter, gateway) rows that the rule is about."""
    query = (
        sa.select(t.point, t.meter.c.name.label("meter"), t.gateway.c.name.label("gateway"))
        .join(t.meter, t.meter.c.id == t.point.c.meter_id)
        .join(t.gateway, t.gateway.c.id == t.meter.c.gateway_id)
        .where(t.point.c.kind.in_(kinds))
        .order_by(t.gateway.c.name, t.meter.c.name, t.point.c.id)
    )
    for row in connection.execute(query).all():
        if matches(alarm.meters, row.gateway, row.meter) and fnmatchcase(row.name, alarm.point):
            yield row


def _window(
    connection: sa.Connection, point_id: int, hours: int, now_ms: int
) -> list[sa.Row] | None:
    """Return the steps of the last whole `hours` hours that the point's news cover.

    None when the news are stale or do not reach that far back.
    """
    of = {"point": point_id}
    newest = connection.scalar(_NEWEST, of)
    if newest is None or newest < now_ms - _STALE_HOURS * _HOUR_MS:
        return None
    until = newest - newest % _HOUR_MS
    since = until - hours * _HOUR_MS
    first = connection.scalar(_FIRST, of)
    if first is None or first > since:
        return None
    return list(connection.execute(_STEPS, {**of, "since": since, "until": until}).all())


# Made once: to make them costs more than to run them. Not by MIN and MAX: with a condition beside
# them SQLite looks at every step of the point.
_c = t.summary.c
_MINE = (_c.point_id == sa.bindparam("point")) & (_c.step_s == STEP_S)
_READ = sa.select(_c.start_ms).where(_MINE & (_c.readings > 0)).limit(1)
_NEWEST, _FIRST = _READ.order_by(_c.start_ms.desc()), _READ.order_by(_c.start_ms)
_STEPS = (
    sa.select(t.summary)
    .where(_MINE & (_c.start_ms >= sa.bindparam("since")) & (_c.start_ms < sa.bindparam("until")))
    .order_by(_c.start_ms)
)


def _stuck(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    for point in _points(connection, alarm, COUNTER, GAUGE):
        steps = _window(connection, point.id, alarm.hours, now_ms)
        if not steps or sum(step.readings for step in steps) < 2:
            continue
        if point.kind == COUNTER:
            moved = any(step.consumption or step.resets for step in steps)
        else:
            shown = {(step.minimum, step.maximum) for step in steps if step.readings}
            moved = len(shown) > 1 or any(low != high for low, high in shown)
        if not moved:
            detail = json.dumps({"point": point.name, "hours": alarm.hours})
            yield Finding(alarm.name, point.gateway, point.meter, detail)


def _leak(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    for point in _points(connection, alarm, COUNTER):
        steps = _window(connection, point.id, alarm.hours, now_ms)
        if not steps:
            continue
        by_hour: dict[int, int] = {}
        for step in steps:
            hour = step.start_ms // _HOUR_MS
            # What was spread over a gap proves nothing about any one hour.
            sure = (step.consumption or 0) - step.estimated
            by_hour[hour] = by_hour.get(hour, 0) + sure
        least = max(1, int(alarm.at_least.scaleb(-point.exponent)))
        if len(by_hour) == alarm.hours and min(by_hour.values()) >= least:
            lowest = text(min(by_hour.values()), 0, point.exponent)
            tree = {"point": point.name, "hours": alarm.hours, "least_per_hour": lowest}
            detail = json.dumps({**tree, "unit": point.unit})
            yield Finding(alarm.name, point.gateway, point.meter, detail)


def _full(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    r, v = t.reading.c, t.value.c
    for point in _points(connection, alarm, GAUGE):
        row = connection.execute(
            sa.select(v.value, v.high)
            .join_from(t.reading, t.value, v.reading_id == r.id)
            .where(
                (r.meter_id == point.meter_id)
                & (r.at_ms >= now_ms - _STALE_HOURS * _HOUR_MS)
                & (v.point_id == point.id)
                & v.value.is_not(None)
                & (v.quality != IMPLAUSIBLE)
            )
            .order_by(r.at_ms.desc())
            .limit(1)
        ).one_or_none()
        if row is None:
            continue
        value = Decimal(join(row.value, row.high)).scaleb(point.exponent)
        if value <= alarm.at_least if alarm.below else value >= alarm.at_least:
            shown = text(row.value, row.high, point.exponent)
            detail = json.dumps({"point": point.name, "value": shown, "unit": point.unit})
            yield Finding(alarm.name, point.gateway, point.meter, detail)


def _tamper(connection: sa.Connection, alarm: Alarm, now_ms: int) -> Iterator[Finding]:
    seen: set[tuple[str, str]] = set()
    for row in _events(connection, now_ms - alarm.hours * _HOUR_MS):
        key = (row.gateway, row.meter)
        if (
            key in seen
            or not matches(alarm.meters, *key)
            or not fnmatchcase(row.what, alarm.point)
        ):
            continue
        seen.add(key)
        detail = json.dumps({"what": row.what, "why": row.why, "at_ms": row.at_ms})
        yield Finding(alarm.name, row.gateway, row.meter, detail)


def _events(connection: sa.Connection, since_ms: int) -> Iterator[sa.Row]:
    """Yield events that came at or after since_ms, newest first, without a look at all others."""
    e, r = t.event.c, t.record.c
    query = (
        sa.select(t.event, t.gateway.c.name.label("gateway"), r.received_ms)
        .join(t.record, r.id == e.record_id)
        .join(t.gateway, t.gateway.c.id == e.gateway_id)
        .order_by(e.record_id.desc())
        .limit(_PAGE)
    )
    below = query
    while rows := connection.execute(below).all():
        yield from (row for row in rows if row.received_ms >= since_ms)
        # Records come in the order of their numbers, but for the clocks of several collectors.
        if rows[-1].received_ms < since_ms - _HOUR_MS:
            return
        below = query.where(e.record_id < rows[-1].record_id)


_KINDS: dict[str, Callable[[sa.Connection, Alarm, int], Iterator[Finding]]] = {
    "silent": _silent,
    "stuck": _stuck,
    "leak": _leak,
    "full": _full,
    "tamper": _tamper,
}
