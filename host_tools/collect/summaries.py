"""Summaries of points over steps of time: consumption of counters; range and mean of gauges.

Not the arithmetic of counters (consumption.py). Steps of 15 minutes come from the readings,
days from those; both begin at multiples of their length since 1970 UTC. What arrives late or is
dated anew changes the steps it touches and no other; doing it twice changes nothing. A value
that the gateway itself did not believe (quality implausible) takes no part.

    summarise(engine)                       # everything that arrived since the last time
    exchange(engine, "gw-ecole", "water", "volume", at_ms, final="1234.567", initial="0")
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

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
DAY_MS = DAY_S * 1000
CURSOR = "summaries"
_SUMMARY_MAX = 1 << 53  # of one step: a day's sum then fits a BIGINT; beyond it is left null
_BELIEVED = t.value.c.value.is_not(None) & (t.value.c.quality != IMPLAUSIBLE)

_TOGETHER = 1000  # points in one statement
Row = dict[str, object]
Days = dict[tuple[int, int], set[int]]  # from and to, whole days: points whose sums changed there
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
            rows: list[Row] = []
            days: Days = {}
            for meter in _meters(connection, sorted(spans)):
                meter.summarise(*spans[meter.id], rows, days)
            _upsert(connection, rows)
            for (low_ms, high_ms), points in sorted(days.items()):
                _upsert(connection, _rolled_up(connection, points, low_ms, high_ms))
            written += len(rows)
    return written


def _meters(connection: sa.Connection, meter_ids: list[int]) -> list["_Meter"]:
    """Return meters by a few statements whatever their number."""
    points: defaultdict[int, list[sa.Row]] = defaultdict(list)
    for point in connection.execute(
        sa.select(t.point).where(t.point.c.meter_id.in_(meter_ids)).order_by(t.point.c.id)
    ):
        points[point.meter_id].append(point)
    exchanges: defaultdict[tuple[int, str], list[sa.Row]] = defaultdict(list)
    c = t.exchange.c
    for row in connection.execute(
        sa.select(t.exchange).where(c.meter_id.in_(meter_ids)).order_by(c.at_ms)
    ):
        exchanges[row.meter_id, row.point].append(row)
    m = t.meter.c
    found = connection.execute(
        sa.select(m.id, m.forgotten_ms).where(m.id.in_(meter_ids)).order_by(m.id)
    )
    return [
        _Meter(connection, row.id, row.forgotten_ms or 0, points[row.id], exchanges)
        for row in found.all()
    ]


class _Meter:
    """The summaries of one meter within one transaction."""

    def __init__(
        self,
        connection: sa.Connection,
        meter_id: int,
        forgotten_ms: int,
        points: list[sa.Row],
        exchanges: Mapping[tuple[int, str], list[sa.Row]],
    ) -> None:
        self.id = meter_id
        self._connection = connection
        # What was summarised before its readings were forgotten stays as it is.
        self._forgotten_ms = forgotten_ms
        self._points = points
        self._exchanges_of = exchanges

    def summarise(self, low_ms: int, high_ms: int, written: list[Row], days: Days) -> None:
        """Add every step that readings of low_ms .. high_ms may have changed, and its days."""
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
        for (low, high, since, until), points in windows.items():
            samples = self._samples([point.id for point in points], since, until)
            rows = [
                row
                for point in points
                for row in self._rows(point, samples.get(point.id, []), low, high)
            ]
            if rows:
                written += rows
                whole = (low - low % DAY_MS, high + -high % DAY_MS)
                days.setdefault(whole, set()).update(point.id for point in points)

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
        of = {"meter": self.id, "at": at_ms, "point": point_id}
        return list(self._connection.scalars(_NEAR[side], of))

    def _samples(self, point_ids: list[int], since_ms: int, until_ms: int) -> dict[int, Samples]:
        """Return the believed values of points, since_ms included, until_ms not."""
        found: dict[int, Samples] = {}
        of = {"meter": self.id, "since": since_ms, "until": until_ms, "points": point_ids}
        for row in self._connection.execute(_SAMPLES, of):
            sample = (row.at_ms, join(row.value, row.high))
            found.setdefault(row.point_id, []).append(sample)
        return found

    def _exchanges(self, point: sa.Row) -> list[Exchange]:
        return [
            Exchange(
                row.at_ms,
                _scaled(row.final, point.exponent),
                _scaled(row.initial, point.exponent),
            )
            for row in self._exchanges_of.get((self.id, point.name), ())
        ]


def _rolled_up(
    connection: sa.Connection, point_ids: Collection[int], low_ms: int, high_ms: int
) -> list[Row]:
    """Return the days of low_ms .. high_ms, made from their quarters of an hour."""
    ids = sorted(point_ids)
    found: list[Row] = []
    for at in range(0, len(ids), _TOGETHER):
        of = {"points": ids[at : at + _TOGETHER], "low": low_ms, "high": high_ms}
        for row in connection.execute(_DAYS, of).mappings():
            found.append(
                {
                    name: round(value) if value is not None else None
                    for name, value in (*row.items(), ("step_s", DAY_S))
                }
            )
    return found


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
    if rows:
        connection.execute(_upsert_of(connection.dialect.name), rows)


@cache
def _upsert_of(dialect: str) -> Any:
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(t.summary)
    key = ["point_id", "step_s", "start_ms"]
    changed = {c.name: insert.excluded[c.name] for c in t.summary.c if c.name not in key}
    return insert.on_conflict_do_update(index_elements=key, set_=changed)


def _near(side: int) -> Any:
    r, v = t.reading.c, t.value.c
    beside = (r.at_ms < sa.bindparam("at")) if side < 0 else (r.at_ms > sa.bindparam("at"))
    of = (r.meter_id == sa.bindparam("meter")) & (v.point_id == sa.bindparam("point"))
    return (
        sa.select(r.at_ms)
        .join_from(t.reading, t.value, v.reading_id == r.id)
        .where(of & beside & _BELIEVED)
        .order_by(r.at_ms.desc() if side < 0 else r.at_ms)
        .limit(2)
    )


def _samples() -> Any:
    r, v = t.reading.c, t.value.c
    return (
        sa.select(v.point_id, r.at_ms, v.value, v.high)
        .select_from(t.reading.join(t.value, v.reading_id == r.id))
        .where(
            (r.meter_id == sa.bindparam("meter"))
            & (r.at_ms >= sa.bindparam("since"))
            & (r.at_ms < sa.bindparam("until"))
            & v.point_id.in_(sa.bindparam("points", expanding=True))
            & _BELIEVED
        )
        .order_by(r.at_ms, r.id)
    )


def _days() -> Any:
    c = t.summary.c
    start = c.start_ms - c.start_ms % DAY_MS
    weight = sa.func.nullif(sa.func.sum(c.readings), 0)
    mean = sa.func.sum(sa.cast(c.mean, sa.Float(53)) * c.readings) / weight
    return (
        sa.select(
            c.point_id,
            start.label("start_ms"),
            sa.func.sum(c.readings).label("readings"),
            sa.func.min(c.minimum).label("minimum"),
            sa.func.max(c.maximum).label("maximum"),
            mean.label("mean"),
            sa.func.sum(c.consumption).label("consumption"),
            sa.func.sum(c.estimated).label("estimated"),
            sa.func.sum(c.resets).label("resets"),
        )
        .where(
            c.point_id.in_(sa.bindparam("points", expanding=True))
            & (c.step_s == STEP_S)
            & (c.start_ms >= sa.bindparam("low"))
            & (c.start_ms < sa.bindparam("high"))
        )
        .group_by(c.point_id, start)
    )


# Made once: to make them costs more than to run them.
_NEAR = {side: _near(side) for side in (-1, 1)}
_SAMPLES = _samples()
_DAYS = _days()


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
