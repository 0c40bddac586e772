"""What the fleet's pages show, asked of the database; reading only, no words and no layout.

fleet(engine, now_ms)                          # one row per gateway
history(engine, "gw-a", "main", "power", since_ms, until_ms)
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from drivers.reading import COUNTER, IMPLAUSIBLE, decimal_text
from host_tools.collect import tables as t
from host_tools.collect.numbers import join
from host_tools.collect.summaries import DAY_S, STEP_S

_DAY_MS = 86_400_000
_RAW_MS = 3 * _DAY_MS  # longer spans are drawn from quarters of an hour
_QUARTERS_MS = 62 * _DAY_MS  # and longer ones still from days
_LATE = 2.5  # intervals without a reading until a line breaks

Sample = tuple[int, float | None]


@dataclass(frozen=True)
class GatewayRow:
    """One gateway as the fleet's table shows it; None where it did not say."""

    name: str
    site: str
    seen_ms: int
    online: bool
    version: str
    board: str
    backlog: int | None  # records that it still holds
    fill_permille: int | None
    clock: int | None  # agent/clock.py: 0 uptime only, 1 wall, 2 free-running
    errors: int | None  # answers that did not come or were damaged, since its start
    alarms: int
    autonomy_h: int | None  # until its journal is full, should we be away
    flash_years: int | None


@dataclass(frozen=True)
class PointRow:
    """One point of a meter with its newest value."""

    gateway: str
    meter: str
    point: str
    unit: str
    kind: int
    at_ms: int | None
    value: float | None


@dataclass(frozen=True)
class Note:
    """Something that happened: an event, a start, a gap, an alarm."""

    at_ms: int
    kind: str  # event, restart, lost, alarm, alarm_end, quarantine
    gateway: str
    meter: str
    text: str


@dataclass(frozen=True)
class Thin:
    """What the gateway does to a point's values before they leave, decimals in its unit."""

    resolution: str
    deadband: str | None
    silence_s: int


@dataclass(frozen=True)
class History:
    """A curve: lines of a gauge, or bars of a counter's consumption."""

    unit: str
    is_consumption: bool
    step_s: int  # 0: readings as they came
    samples: list[Sample]
    low: list[Sample]
    high: list[Sample]
    thin: Thin | None = None  # as configured last


def fleet(engine: sa.Engine) -> list[GatewayRow]:
    """Return every gateway, in order of site and name."""
    g, a = t.gateway.c, t.alarm.c
    with engine.connect() as connection:
        open_now: dict[str, int] = {
            row.gateway: row.alarms
            for row in connection.execute(
                sa.select(a.gateway, sa.func.count().label("alarms"))
                .where(a.closed_ms.is_(None))
                .group_by(a.gateway)
            )
        }
        rows = connection.execute(sa.select(t.gateway).order_by(g.site, g.name)).all()
    return [_gateway(row, open_now.get(row.name, 0)) for row in rows]


def _gateway(row: sa.Row, alarms: int) -> GatewayRow:
    state: dict[str, Any] = json.loads(row.state) if row.state else {}
    held = state.get("records")
    backlog = None
    if isinstance(held, list) and len(held) > 1 and all(type(n) is int for n in held[:2]):
        backlog = max(0, held[1] - held[0])
    errors = None
    meters = state.get("meters")
    if isinstance(meters, list):
        errors = sum(
            _whole(meter.get(name)) or 0
            for meter in meters
            if isinstance(meter, dict)
            for name in ("no_reply", "bad_frames")
        )
    return GatewayRow(
        row.name,
        row.site,
        row.last_seen_ms,
        row.online,
        row.version,
        row.board,
        backlog,
        _whole(state.get("journal")),
        _whole(state.get("clock")),
        errors,
        alarms,
        *_lasts(state.get("lasts")),
    )


def _lasts(found: object) -> tuple[int | None, int | None]:
    """Return hours of the journal and years of the flash, as agent/forecast.py gives them."""
    if isinstance(found, list) and len(found) == 2:
        return _whole(found[0]), _whole(found[1])
    return None, None


def _whole(found: object) -> int | None:
    return found if type(found) is int else None


def points(
    engine: sa.Engine, site: str | None = None, gateway: str | None = None
) -> list[PointRow]:
    """Return the points of a site's or gateway's meters, each with its newest value."""
    p, m, g, r, v = t.point.c, t.meter.c, t.gateway.c, t.reading.c, t.value.c
    query = (
        sa.select(
            p.id, p.name, p.unit, p.exponent, p.kind, p.meter_id, m.name.label("meter"),
            g.name.label("gateway"),
        )
        .select_from(t.point)
        .join(t.meter, m.id == p.meter_id)
        .join(t.gateway, g.id == m.gateway_id)
        .order_by(g.name, m.name, p.id)
    )  # fmt: skip
    if site is not None:
        query = query.where(g.site == site)
    if gateway is not None:
        query = query.where(g.name == gateway)
    found = []
    with engine.connect() as connection:
        newest: dict[int, tuple[int | None, dict[int, sa.Row]]] = {}
        for row in connection.execute(query).all():
            if row.meter_id not in newest:
                last = connection.execute(
                    sa.select(r.id, r.at_ms)
                    .where((r.meter_id == row.meter_id) & r.at_ms.is_not(None))
                    .order_by(r.at_ms.desc())
                    .limit(1)
                ).one_or_none()
                values = {}
                if last is not None:
                    for value in connection.execute(
                        sa.select(t.value).where(v.reading_id == last.id)
                    ):
                        values[value.point_id] = value
                newest[row.meter_id] = (last.at_ms if last else None, values)
            at_ms, values = newest[row.meter_id]
            stored = values.get(row.id)
            number = None
            if stored is not None and stored.value is not None:
                number = join(stored.value, stored.high) * 10.0**row.exponent
            found.append(
                PointRow(row.gateway, row.meter, row.name, row.unit, row.kind, at_ms, number)
            )
    return found


def history(
    engine: sa.Engine, gateway: str, meter: str, point: str, since_ms: int, until_ms: int
) -> History | None:
    """Return a curve in which a gap is a None; None when the point is not known.

    Up to 3 days as read, up to 62 days by quarters of an hour, else by days: never more points
    than a screen can show. A counter is always its consumption.
    """
    p, m = t.point.c, t.meter.c
    with engine.connect() as connection:
        of = connection.execute(
            sa.select(p.id, p.unit, p.exponent, p.kind, p.meter_id, m.interval_s)
            .select_from(t.point)
            .join(t.meter, m.id == p.meter_id)
            .join(t.gateway, t.gateway.c.id == m.gateway_id)
            .where((t.gateway.c.name == gateway) & (m.name == meter) & (p.name == point))
            .order_by(p.id.desc())
            .limit(1)
        ).one_or_none()
        if of is None:
            return None
        thin = _thin(connection, of.id, of.exponent)
        scale = 10.0**of.exponent
        if of.kind != COUNTER and until_ms - since_ms <= _RAW_MS:
            r, v = t.reading.c, t.value.c
            rows = connection.execute(
                sa.select(r.at_ms, v.value, v.high, v.quality)
                .join_from(t.reading, t.value, (v.reading_id == r.id) & (v.point_id == of.id))
                .where((r.meter_id == of.meter_id) & (r.at_ms >= since_ms) & (r.at_ms < until_ms))
                .order_by(r.at_ms)
            )
            samples: list[Sample] = [
                (
                    row.at_ms,
                    None
                    if row.value is None or row.quality == IMPLAUSIBLE
                    else join(row.value, row.high) * scale,
                )
                for row in rows
            ]
            late_ms = round(max(of.interval_s, 1) * 1000 * _LATE)
            return History(of.unit, False, 0, broken(samples, late_ms), [], [], thin)
        step_s = STEP_S if until_ms - since_ms <= _QUARTERS_MS else DAY_S
        s = t.summary.c
        steps = connection.execute(
            sa.select(t.summary)
            .where(
                (s.point_id == of.id)
                & (s.step_s == step_s)
                & (s.start_ms >= since_ms - since_ms % (step_s * 1000))
                & (s.start_ms < until_ms)
            )
            .order_by(s.start_ms)
        ).all()
    late_ms = round(step_s * 1000 * 1.5)

    def series(pick: Callable[[sa.Row], int | None]) -> list[Sample]:
        rows: list[Sample] = []
        for step in steps:
            value = pick(step)
            rows.append((step.start_ms, None if value is None else value * scale))
        return broken(rows, late_ms)

    if of.kind == COUNTER:
        bars = series(lambda step: step.consumption)
        return History(of.unit, True, step_s, bars, [], [], thin)
    return History(
        of.unit,
        False,
        step_s,
        series(lambda step: step.mean if step.mean is not None else step.maximum),
        series(lambda step: step.minimum),
        series(lambda step: step.maximum),
        thin,
    )


def _thin(connection: sa.Connection, point_id: int, exponent: int) -> Thin | None:
    """Return what the newest schema says of a point beyond its unit."""
    c, place = t.configuration.c, t.layout.c
    row = connection.execute(
        sa.select(c.schema, place.meter_index, place.column)
        .join_from(t.configuration, t.layout, place.configuration_id == c.id)
        .where(place.point_id == point_id)
        .order_by(c.id.desc())
        .limit(1)
    ).one_or_none()
    found = json.loads(row.schema)[row.meter_index]["points"][row.column][5:] if row else []
    if not found:
        return None
    deadband = found[0].get("deadband")
    return Thin(
        decimal_text(found[0].get("resolution", 1), exponent),
        None if deadband is None else decimal_text(deadband, exponent),
        found[0].get("silence_s", 0),
    )


def broken(samples: list[Sample], late_ms: int) -> list[Sample]:
    """Put a None between neighbours that are further apart than late_ms."""
    found: list[Sample] = []
    for sample in samples:
        if found and sample[0] - found[-1][0] > late_ms:
            found.append((found[-1][0] + late_ms, None))
        found.append(sample)
    return found


def notes(engine: sa.Engine, gateway: str | None = None, most: int = 200) -> list[Note]:
    """Return what happened, newest first."""
    found: list[Note] = []
    g, r = t.gateway.c, t.record.c
    with engine.connect() as connection:

        def rows(table: sa.Table) -> list[sa.Row]:
            query = (
                sa.select(table, g.name.label("gateway"), r.received_ms)
                .join(t.record, r.id == table.c.record_id)
                .join(t.gateway, g.id == table.c.gateway_id)
                .order_by(table.c.record_id.desc())
                .limit(most)
            )
            if gateway is not None:
                query = query.where(g.name == gateway)
            return list(connection.execute(query).all())

        for row in rows(t.event):
            text = f"{row.what}: {row.why}" if row.why else row.what
            found.append(Note(row.at_ms or row.received_ms, "event", row.gateway, row.meter, text))
        for row in rows(t.boot):
            at_ms = row.to_ms or row.received_ms
            found.append(Note(at_ms, "restart", row.gateway, "", row.cause))
        holes = (
            sa.select(t.hole, g.name.label("gateway"))
            .join(t.gateway, g.id == t.hole.c.gateway_id)
            .order_by(t.hole.c.received_ms.desc())
            .limit(most)
        )
        alarms = sa.select(t.alarm).order_by(t.alarm.c.id.desc()).limit(most)
        spoiled = sa.select(t.quarantine).order_by(t.quarantine.c.id.desc()).limit(most)
        if gateway is not None:
            holes = holes.where(g.name == gateway)
            alarms = alarms.where(t.alarm.c.gateway == gateway)
            spoiled = spoiled.where(t.quarantine.c.gateway == gateway)
        for row in connection.execute(holes):
            text = f"{row.first} … {row.last}: {row.why}"
            found.append(Note(row.received_ms, "lost", row.gateway, "", text))
        for row in connection.execute(alarms):
            facts = ", ".join(f"{key} {value}" for key, value in json.loads(row.detail).items())
            text = f"{row.rule}: {facts}"
            found.append(Note(row.opened_ms, "alarm", row.gateway, row.meter, text))
            if row.closed_ms is not None:
                found.append(Note(row.closed_ms, "alarm_end", row.gateway, row.meter, row.rule))
        for row in connection.execute(spoiled):
            found.append(Note(row.received_ms, "quarantine", row.gateway, "", row.reason))
    return sorted(found, key=lambda note: -note.at_ms)[:most]
