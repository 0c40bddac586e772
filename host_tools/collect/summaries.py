"""Summaries of points over steps of time: consumption of counters; range and mean of gauges.

Not the arithmetic of counters (consumption.py). Steps of 15 minutes come from the readings,
days from those; both begin at multiples of their length since 1970 UTC. What arrives late or is
dated anew changes the steps it touches and no other; doing it twice changes nothing. A value
that the gateway itself did not believe (quality implausible) takes no part.

    summarise(engine)                       # everything that arrived since the last time
    exchange(engine, "gw-ecole", "water", "volume", at_ms, final="1234.567", initial="0")
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from drivers.reading import COUNTER, GAUGE, IMPLAUSIBLE
from host_tools.collect import tables as t
from host_tools.collect.arrivals import following
from host_tools.collect.consumption import Exchange, Share, rises, spread
from host_tools.collect.database import writing
from host_tools.collect.dates import arrive
from host_tools.collect.numbers import join
from host_tools.collect.transaction import Transaction
from host_tools.problems import INPUT, Problem

STEP_S = 900
DAY_S = 86_400
CURSOR = "summaries"
_SUMMARY_MAX = 1 << 53  # of one step: a day's sum then fits a BIGINT; beyond it is left null
_BELIEVED = t.value.c.value.is_not(None) & (t.value.c.quality != IMPLAUSIBLE)

Row = dict[str, object]
Samples = list[tuple[int, int]]  # (at_ms, value) in order of time


def summarise(engine: sa.Engine) -> int:
    """Bring the summaries up to date; return how many steps of 15 minutes were written."""
    written = 0
    for record_ids in following(engine, CURSOR):
        c = t.reading.c
        spans: dict[int, tuple[int, int]] = {}
        with engine.connect() as connection:
            for record_id in record_ids:
                first = record_id * t.ROWS_MAX
                for row in connection.execute(
                    sa.select(
                        c.meter_id,
                        sa.func.min(c.at_ms).label("low"),
                        sa.func.max(c.at_ms).label("high"),
                    )
                    .where(c.id.between(first, first + t.ROWS_MAX - 1) & c.at_ms.is_not(None))
                    .group_by(c.meter_id)
                ):
                    old = spans.get(row.meter_id, (row.low, row.high))
                    spans[row.meter_id] = (min(old[0], row.low), max(old[1], row.high))
        with writing(engine).begin() as connection:
            for meter_id, (low_ms, high_ms) in sorted(spans.items()):
                written += _Meter(connection, meter_id).summarise(low_ms, high_ms)
    return written


class _Meter:
    """The summaries of one meter within one transaction."""

    def __init__(self, connection: sa.Connection, meter_id: int) -> None:
        self._connection = connection
        self._id = meter_id
        # What was summarised before its readings were forgotten stays as it is.
        self._forgotten_ms = (
            connection.scalar(sa.select(t.meter.c.forgotten_ms).where(t.meter.c.id == meter_id))
            or 0
        )
        self._points = connection.execute(
            sa.select(t.point).where(t.point.c.meter_id == meter_id)
        ).all()

    def summarise(self, low_ms: int, high_ms: int) -> int:
        """Write every step that readings of low_ms .. high_ms may have changed."""
        step_ms = STEP_S * 1000
        windows: dict[tuple[int, int, int, int], list[sa.Row]] = {}
        for point in self._points:
            low, high = low_ms, high_ms
            if point.kind == COUNTER:
                # A rise reaches from the reading before to the one after; those may in turn be
                # outliers because of the new one.
                low = min([low, *self._near(point.id, low, -1)])
                high = max([high, *self._near(point.id, high, 1)])
            low = max(low - low % step_ms, self._forgotten_ms)
            high += step_ms - high % step_ms
            since, until = low, high
            if point.kind == COUNTER:
                # The outermost rises begin and end outside, and so does what judges them.
                since = min([low, *self._near(point.id, low, -1)])
                until = max([high, *(at + 1 for at in self._near(point.id, high - 1, 1))])
            windows.setdefault((low, high, since, until), []).append(point)
        written = 0
        for (low, high, since, until), points in windows.items():
            samples = self._samples([point.id for point in points], since, until)
            rows = [
                row
                for point in points
                for row in self._rows(point, samples.get(point.id, []), low, high)
            ]
            if rows:
                _upsert(self._connection, rows)
                self._roll_up([point.id for point in points], low, high)
            written += len(rows)
        return written

    def _rows(self, point: sa.Row, found: Samples, low: int, high: int) -> list[Row]:
        step_ms = STEP_S * 1000
        shares: dict[int, Share] = {}
        if point.kind == COUNTER:
            shares = spread(rises(found, self._exchanges(point)), step_ms)
        by_step: dict[int, list[int]] = {}
        for at_ms, value in found:
            by_step.setdefault(at_ms - at_ms % step_ms, []).append(value)
        return [
            _row(point, start, by_step.get(start, []), shares.get(start))
            for start in sorted({*shares, *by_step})
            if low <= start < high
        ]

    def _near(self, point_id: int, at_ms: int, side: int) -> list[int]:
        """Return when the nearest two values before (-1) or after (1) at_ms were read."""
        r, v = t.reading.c, t.value.c
        beside = (r.at_ms < at_ms) if side < 0 else (r.at_ms > at_ms)
        query = (
            sa.select(r.at_ms)
            .join_from(t.reading, t.value, v.reading_id == r.id)
            .where((r.meter_id == self._id) & beside & (v.point_id == point_id) & _BELIEVED)
            .order_by(r.at_ms.desc() if side < 0 else r.at_ms)
            .limit(2)
        )
        return list(self._connection.scalars(query))

    def _samples(self, point_ids: list[int], since_ms: int, until_ms: int) -> dict[int, Samples]:
        """Return the believed values of points, since_ms included, until_ms not."""
        r, v = t.reading.c, t.value.c
        found: dict[int, Samples] = {}
        for row in self._connection.execute(
            sa.select(v.point_id, r.at_ms, v.value, v.high)
            .select_from(t.reading.join(t.value, v.reading_id == r.id))
            .where(
                (r.meter_id == self._id)
                & (r.at_ms >= since_ms)
                & (r.at_ms < until_ms)
                & v.point_id.in_(point_ids)
                & _BELIEVED
            )
            .order_by(r.at_ms, r.id)
        ):
            sample = (row.at_ms, join(row.value, row.high))
            found.setdefault(row.point_id, []).append(sample)
        return found

    def _exchanges(self, point: sa.Row) -> list[Exchange]:
        c = t.exchange.c
        rows = self._connection.execute(
            sa.select(t.exchange)
            .where((c.meter_id == self._id) & (c.point == point.name))
            .order_by(c.at_ms)
        )
        return [
            Exchange(
                row.at_ms,
                _scaled(row.final, point.exponent),
                _scaled(row.initial, point.exponent),
            )
            for row in rows
        ]

    def _roll_up(self, point_ids: list[int], low_ms: int, high_ms: int) -> None:
        """Make the days of low_ms .. high_ms from their quarters of an hour."""
        day_ms = DAY_S * 1000
        low_ms -= low_ms % day_ms
        high_ms += -high_ms % day_ms
        c = t.summary.c
        start = c.start_ms - c.start_ms % day_ms
        weight = sa.func.nullif(sa.func.sum(c.readings), 0)
        mean = sa.func.sum(sa.cast(c.mean, sa.Float(53)) * c.readings) / weight
        totals = sa.select(
            c.point_id,
            start.label("start_ms"),
            sa.func.sum(c.readings).label("readings"),
            sa.func.min(c.minimum).label("minimum"),
            sa.func.max(c.maximum).label("maximum"),
            mean.label("mean"),
            sa.func.sum(c.consumption).label("consumption"),
            sa.func.sum(c.estimated).label("estimated"),
            sa.func.sum(c.resets).label("resets"),
        ).where(
            c.point_id.in_(point_ids)
            & (c.step_s == STEP_S)
            & (c.start_ms >= low_ms)
            & (c.start_ms < high_ms)
        )
        found = self._connection.execute(totals.group_by(c.point_id, start)).mappings().all()
        rows: list[Row] = [
            {
                name: round(value) if value is not None else None
                for name, value in (*row.items(), ("step_s", DAY_S))
            }
            for row in found
        ]
        if rows:
            _upsert(self._connection, rows)


def _row(point: sa.Row, start_ms: int, values: list[int], share: Share | None) -> Row:
    is_counter = point.kind == COUNTER
    mean = (2 * sum(values) + len(values)) // (2 * len(values)) if values else None
    return {
        "point_id": point.id,
        "step_s": STEP_S,
        "start_ms": start_ms,
        "readings": len(values),
        "minimum": None if is_counter else _fitting(min(values, default=None)),
        "maximum": None if is_counter else _fitting(max(values, default=None)),
        "mean": _fitting(mean) if point.kind == GAUGE else None,
        "consumption": _fitting(share.consumption) if share else None,
        "estimated": _fitting(share.estimated) or 0 if share else 0,
        "resets": share.resets if share else 0,
    }


def _fitting(value: int | None) -> int | None:
    """Return value where it may be summed; None beyond: no meter consumes that in a step."""
    return value if value is not None and abs(value) <= _SUMMARY_MAX else None


def _upsert(connection: sa.Connection, rows: Sequence[Row]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(t.summary)
    key = ["point_id", "step_s", "start_ms"]
    changed = {name: insert.excluded[name] for name in rows[0] if name not in key}
    connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), rows)


def _scaled(shown: str | None, exponent: int) -> int | None:
    return None if shown is None else int(Decimal(shown).scaleb(-exponent).to_integral_value())


def exchange(
    engine: sa.Engine,
    gateway: str,
    meter: str,
    point: str,
    at_ms: int,
    final: str | None = None,
    initial: str | None = None,
) -> None:
    """Note that a device was exchanged; the steps around it are summarised anew.

    at_ms  when, ms since 1970 UTC: after the old device's last reading, before or at the new
           one's first
    final, initial  what the old one showed last and the new one first, decimal text in the
           point's unit; None: not known, then what passed unread counts as nothing

    A Problem when the point is not known or a number is none.
    """
    for shown in (final, initial):
        try:
            if shown is not None and not Decimal(shown).is_finite():
                raise InvalidOperation
        except InvalidOperation:
            remedy = "write a decimal number, 1234.567"
            raise Problem(f"{shown!r} is no number", remedy, code=INPUT) from None
    with writing(engine).begin() as connection:
        meter_id = connection.scalar(
            sa.select(t.meter.c.id)
            .join(t.gateway)
            .join(t.point)
            .where(
                (t.gateway.c.name == gateway)
                & (t.meter.c.name == meter)
                & (t.point.c.name == point)
                & (t.point.c.kind == COUNTER)
            )
        )
        if meter_id is None:
            remedy = "the view `readings` lists gateway, meter and point of what is stored"
            raise Problem(f"{gateway}/{meter} has no counter {point!r}", remedy, code=INPUT)
        c = t.exchange.c
        key = (c.meter_id == meter_id) & (c.at_ms == at_ms) & (c.point == point)
        connection.execute(t.exchange.delete().where(key))
        row = {"meter_id": meter_id, "at_ms": at_ms, "point": point}
        connection.execute(t.exchange.insert(), {**row, "final": final, "initial": initial})
        r = t.reading.c
        first = connection.scalar(
            sa.select(r.id)
            .where((r.meter_id == meter_id) & (r.at_ms >= at_ms))
            .order_by(r.at_ms)
            .limit(1)
        )
        if first is not None:
            arrive(Transaction(connection, 0), [first // t.ROWS_MAX])
