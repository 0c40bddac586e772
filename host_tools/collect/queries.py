"""What pages, checks and exports ask of the database; reading only.

stored(engine)                    # how many readings hold at least one value
declared(engine)                  # {"no_reply": 3, "lost: full": 17}
curve(engine, "main", "power", since_ms)
"""

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from drivers.reading import QUALITY_NAMES
from host_tools.collect import tables as t
from host_tools.collect.numbers import join, text


@dataclass(frozen=True)
class Sample:
    """One stored value: `integer * 10 ** exponent` in `unit`; None: quality says why."""

    gateway: str
    meter: str
    point: str
    at_ms: int | None
    integer: int | None
    exponent: int
    unit: str
    quality: int

    def text(self) -> str | None:
        """Return the exact decimal text; None where there is no value."""
        return None if self.integer is None else text(self.integer, 0, self.exponent)


def samples(
    engine: sa.Engine,
    gateway: str | None = None,
    meter: str | None = None,
    point: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Iterator[Sample]:
    """Yield stored values in order of meter, time and point; every limit is optional.

    since_ms is included, until_ms is not. Readings without a date yet come only when neither is
    given.
    """
    query = (
        sa.select(
            t.gateway.c.name.label("gateway"),
            t.meter.c.name.label("meter"),
            t.point.c.name.label("point"),
            t.reading.c.at_ms,
            t.value.c.value,
            t.value.c.high,
            t.point.c.exponent,
            t.point.c.unit,
            t.value.c.quality,
        )
        .select_from(t.reading)
        .join(t.value, t.value.c.reading_id == t.reading.c.id)
        .join(t.point, t.point.c.id == t.value.c.point_id)
        .join(t.meter, t.meter.c.id == t.reading.c.meter_id)
        .join(t.gateway, t.gateway.c.id == t.meter.c.gateway_id)
        .order_by(t.reading.c.meter_id, t.reading.c.at_ms, t.reading.c.id, t.point.c.id)
    )
    for column, wanted in (
        (t.gateway.c.name, gateway),
        (t.meter.c.name, meter),
        (t.point.c.name, point),
    ):
        if wanted is not None:
            query = query.where(column == wanted)
    if since_ms is not None:
        query = query.where(t.reading.c.at_ms >= since_ms)
    if until_ms is not None:
        query = query.where(t.reading.c.at_ms < until_ms)
    with engine.connect() as connection:
        for row in connection.execute(query):
            integer = None if row.value is None else join(row.value, row.high)
            yield Sample(
                row.gateway,
                row.meter,
                row.point,
                row.at_ms,
                integer,
                row.exponent,
                row.unit,
                row.quality,
            )


def curve(
    engine: sa.Engine, meter: str, point: str, since_ms: int, gateway: str | None = None
) -> list[tuple[float, float | None]]:
    """Return (seconds since 1970, value) oldest first; None marks a declared gap."""
    found: list[tuple[float, float | None]] = []
    for sample in samples(engine, gateway, meter, point, since_ms):
        exact = sample.text()
        assert sample.at_ms is not None
        found.append((sample.at_ms / 1000, None if exact is None else float(exact)))
    return found


def _holding(has_value: bool) -> sa.Select[int]:
    inside = sa.exists().where(
        (t.value.c.reading_id == t.reading.c.id) & t.value.c.value.is_not(None)
    )
    query = sa.select(sa.func.count()).select_from(t.reading)
    return query.where(inside if has_value else ~inside)


def stored(engine: sa.Engine) -> int:
    """Return how many readings hold at least one value."""
    with engine.connect() as connection:
        return connection.scalar(_holding(True)) or 0


def declared(engine: sa.Engine) -> dict[str, int]:
    """Return what the gateways themselves reported as not measured or lost, by cause.

    A quality's name counts readings without any value; "lost: WHY" counts record numbers that
    were declared gone and never came; "restart: CAUSE" counts starts.
    """
    causes: dict[str, int] = {}
    with engine.connect() as connection:
        worst = sa.func.max(t.value.c.quality).label("worst")
        empty = (
            sa.select(worst)
            .group_by(t.value.c.reading_id)
            .having(sa.func.count(t.value.c.value) == 0)
            .subquery()
        )
        for row in connection.execute(
            sa.select(empty.c.worst, sa.func.count().label("rows")).group_by(empty.c.worst)
        ):
            known = row.worst < len(QUALITY_NAMES)
            name = QUALITY_NAMES[row.worst] if known else f"quality {row.worst}"
            causes[name] = row.rows
        for why, missing in _missing(connection):
            if missing:
                causes[f"lost: {why}"] = causes.get(f"lost: {why}", 0) + missing
        for row in connection.execute(
            sa.select(t.boot.c.cause, sa.func.count().label("rows")).group_by(t.boot.c.cause)
        ):
            causes[f"restart: {row.cause}"] = row.rows
    return causes


def _missing(connection: sa.Connection) -> Iterator[tuple[str, int]]:
    """Yield (why, record numbers) per declared hole, overlaps and late arrivals taken off."""
    reached: dict[tuple[int, int], int] = {}
    h, r = t.hole.c, t.record.c
    for hole in connection.execute(
        sa.select(t.hole).order_by(h.gateway_id, h.journal, h.first, h.last)
    ).all():
        key = (hole.gateway_id, hole.journal)
        first = max(hole.first, reached.get(key, 0) + 1)
        if first > hole.last:
            continue
        reached[key] = hole.last
        came = connection.scalar(
            sa.select(sa.func.count()).where(
                (r.gateway_id == hole.gateway_id)
                & (r.journal == hole.journal)
                & r.seq.between(first, hole.last)
            )
        )
        yield hole.why, hole.last - first + 1 - (came or 0)


def bytes_per_reading(engine: sa.Engine) -> float | None:
    """Return wire bytes of block records over their readings; None before the first."""
    with engine.connect() as connection:
        row = connection.execute(
            sa.select(
                sa.func.sum(t.record.c.bytes).label("bytes"),
                sa.func.sum(t.record.c.readings).label("readings"),
            ).where(t.record.c.readings > 0)
        ).one()
    return float(row.bytes) / float(row.readings) if row.readings else None
