"""The verdict: what of all that left the meters is stored, declared, lost, doubled or altered.

Witnesses: the ledger (host_tools/sim/ledger.py: decoded from the bytes on the wire) and the
collector's database. The gateway is not asked. The rules:

* The ledger holds every answer or frame that left a meter, marked where the line damaged it.
* A meter that is asked: each intact answer is in the database (same value, at most 3 s apart), or
  is superseded by a later intact answer within 3 s that is, or lies in a declared gap.
* A meter that pushes: for each due interval in which intact frames passed the database holds one
  reading, with the values of a frame of that interval or a neighbour, or a declared gap.
* A declared gap is a row of nulls with its quality, the span of a BOOT record, an EVENT, or of a
  LOST record; where that has no times, for each meter what lies between its neighbours.
* Every stored value was on the wire at its time (at most 3 s apart); else it is altered.
* Where the site file asks for it (`thin`), the stored value is the read one at its resolution,
  or the one stored last, while the read one is within the deadband of that, for silence_s at most.
* Two rows for one due slot of a meter, or one instant, are a duplicate, as is any
  (gateway, journal, seq) stored twice.

Whatever is neither stored nor declared is lost. An answer is judged once a later row of its
meter is stored and no record before that is missing: a broker without its collector takes
records that come again later. At the end everything is judged.
"""

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from drivers.reading import QUALITY_NAMES
from host_tools.collect.tables import ROWS_MAX
from host_tools.sim.ledger import Answer
from host_tools.sim.thinning import Thinning

NEAR_MS = 3000
_EXAMPLES = 20
_COUNTS = (
    *("answered", "stored", "superseded", "garbled"),
    *("lost", "duplicated", "altered"),
)


@dataclass(frozen=True)
class Rule:
    """How a meter is judged."""

    interval_ms: int
    pushed: bool
    points: frozenset[str]  # those that are configured
    thin: Mapping[str, Thinning] = field(default_factory=dict)

    def agrees(self, point: str, read: int | None, stored: int | None) -> bool:
        """Tell whether a stored value is the one that was read, as it is kept."""
        thin = self.thin.get(point)
        if thin is None or read is None or stored is None:
            return stored == read
        return stored == thin.coarse(read) or thin.is_near(read, stored)

    def is_exact(self, point: str, read: int | None, stored: int) -> bool:
        """Tell whether a stored value is the read one itself, not one held in its place."""
        thin = self.thin.get(point)
        return stored == (thin.coarse(read) if thin and read is not None else read)


@dataclass(frozen=True)
class Row:
    """One stored reading."""

    meter: str
    at_ms: int
    values: Mapping[str, int | None]
    quality: Mapping[str, int]
    in_order: bool = True  # nothing before it is still on its way


@dataclass(frozen=True)
class Gap:
    """A span that the gateway declared; meter "" means all of them."""

    meter: str
    from_ms: int
    to_ms: int
    cause: str


@dataclass
class Stored:
    """What the database holds, of one gateway."""

    rows: list[Row] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    undated: int = 0  # readings whose time is not known yet
    doubled_records: int = 0
    record_bytes: int = 0  # of records that hold readings
    readings: int = 0


@dataclass
class Verdict:
    """The counts. answered = stored + superseded + declared + lost, of intact answers."""

    answered: int = 0
    stored: int = 0
    superseded: int = 0
    garbled: int = 0  # damaged on the wire: nothing is owed
    lost: int = 0
    duplicated: int = 0
    altered: int = 0
    declared: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)  # of what went wrong

    def add(self, other: "Verdict") -> None:
        """Add another's counts to this one."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.declared += other.declared
        for example in other.examples:
            self.fault(example)

    def fault(self, what: str) -> None:
        """Keep an example."""
        if len(self.examples) < _EXAMPLES:
            self.examples.append(what)


def read_database(path: Path, gateway: str, since_ms: int = 0) -> Stored:
    """Read what the collector stored of one gateway (host_tools/collect/tables.py).

    since_ms: only readings from then on; the totals and the gaps are always whole.
    """
    stored = Stored()
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        _read_rows(connection, gateway, since_ms, stored)
        _read_gaps(connection, gateway, stored)
        stored.doubled_records = connection.execute(
            "SELECT COUNT(*) - COUNT(DISTINCT gateway_id || ' ' || journal || ' ' || seq)"
            " FROM record WHERE fate = 'stored'"
        ).fetchone()[0]
        stored.record_bytes, stored.readings = connection.execute(
            "SELECT COALESCE(SUM(r.bytes), 0), COALESCE(SUM(r.readings), 0) FROM record r"
            " JOIN gateway g ON g.id = r.gateway_id WHERE g.name = ? AND r.readings > 0",
            (gateway,),
        ).fetchone()
    finally:
        connection.close()
    stored.rows.sort(key=lambda row: row.at_ms)
    return stored


def _read_rows(
    connection: sqlite3.Connection, gateway: str, since_ms: int, stored: Stored
) -> None:
    rows: dict[int, tuple[str, int | None, dict[str, int | None], dict[str, int], bool]] = {}
    for reading, meter, at_ms, point, value, high, quality, in_order in connection.execute(
        "SELECT r.id, m.name, r.at_ms, p.name, v.value, v.high, v.quality,"
        " c.seq <= COALESCE(j.through, 0) FROM reading r"
        " JOIN meter m ON m.id = r.meter_id JOIN gateway g ON g.id = m.gateway_id"
        " JOIN record c ON c.id = r.id / ? LEFT JOIN journal j"
        " ON j.gateway_id = c.gateway_id AND j.journal = c.journal"
        " JOIN value v ON v.reading_id = r.id JOIN point p ON p.id = v.point_id"
        " WHERE g.name = ? AND (r.at_ms IS NULL OR r.at_ms >= ?)",
        (ROWS_MAX, gateway, since_ms),
    ):
        row = rows.setdefault(reading, (meter, at_ms, {}, {}, bool(in_order)))
        row[2][point] = None if value is None else value + (high << 64)
        row[3][point] = quality
    for meter, at_ms, values, qualities, in_order in rows.values():
        if at_ms is None:
            stored.undated += 1
        else:
            stored.rows.append(Row(meter, at_ms, values, qualities, in_order))


def _read_gaps(connection: sqlite3.Connection, gateway: str, stored: Stored) -> None:
    before_ms = 0
    for cause, from_ms, to_ms in connection.execute(
        "SELECT b.cause, b.from_ms, b.to_ms FROM boot b JOIN gateway g ON g.id = b.gateway_id"
        " WHERE g.name = ? ORDER BY b.record_id",
        (gateway,),
    ):
        # "not known" reaches back to the start before this one, and no further
        stored.gaps.append(Gap("", from_ms or before_ms, to_ms, f"boot: {cause}"))
        before_ms = to_ms
    for why, first, last, from_ms, to_ms in connection.execute(
        "SELECT h.why, h.first, h.last, h.from_ms, h.to_ms FROM hole h"
        " JOIN gateway g ON g.id = h.gateway_id WHERE g.name = ?",
        (gateway,),
    ).fetchall():
        if from_ms:
            stored.gaps.append(Gap("", from_ms, to_ms, f"lost: {why}"))
        else:
            _read_hole(connection, gateway, first, last, f"lost: {why}", stored)
    for what, meter, at_ms, detail in connection.execute(
        "SELECT e.what, e.meter, e.at_ms, e.detail FROM event e"
        " JOIN gateway g ON g.id = e.gateway_id WHERE g.name = ?",
        (gateway,),
    ):
        said = json.loads(detail)
        if "from_ms" in said and "to_ms" in said:
            stored.gaps.append(Gap(meter, said["from_ms"], said["to_ms"], f"event: {what}"))
        elif at_ms:
            stored.gaps.append(Gap(meter, at_ms, at_ms, f"event: {what}"))


def _read_hole(
    connection: sqlite3.Connection, gateway: str, first: int, last: int, why: str, stored: Stored
) -> None:
    """Records first .. last are gone: for each meter, what lies between its others around them."""
    for meter, from_ms, to_ms in connection.execute(
        "SELECT m.name, MAX(CASE WHEN c.seq < ? THEN r.at_ms END),"
        " MIN(CASE WHEN c.seq > ? THEN r.at_ms END)"
        " FROM reading r JOIN record c ON c.id = r.id / ? JOIN meter m ON m.id = r.meter_id"
        " JOIN gateway g ON g.id = m.gateway_id WHERE g.name = ? GROUP BY m.id",
        (first, last, ROWS_MAX, gateway),
    ):
        stored.gaps.append(Gap(meter, from_ms or 0, to_ms or 1 << 62, why))


def judge(
    answers: Iterable[Answer],
    stored: Stored,
    rules: Mapping[str, Rule],
    *,
    final: bool,
    from_ms: int = 0,
    to_ms: int = 1 << 62,
) -> Verdict:
    """Judge what happened at from_ms .. to_ms - 1; its neighbours in time must be given too.

    Unless final, answers whose later rows may still be on their way are left out.
    """
    verdict = Verdict()
    by_meter: dict[str, list[Answer]] = {name: [] for name in rules}
    for answer in answers:
        if answer.meter in by_meter:
            by_meter[answer.meter].append(answer)
    for name, rule in rules.items():
        rows = [row for row in stored.rows if row.meter == name]
        gaps = [gap for gap in stored.gaps if gap.meter in ("", name)]
        judged = _Meter(rule, sorted(by_meter[name], key=lambda a: a.at_ms), rows, gaps, verdict)
        judged.judge(final, from_ms, to_ms)
    return verdict


class _Meter:
    """The case of one meter."""

    def __init__(
        self,
        rule: Rule,
        answers: Sequence[Answer],
        rows: Sequence[Row],
        gaps: Sequence[Gap],
        verdict: Verdict,
    ) -> None:
        self.rule = rule
        self.answers = answers
        self.rows = rows
        self.gaps = gaps
        self.verdict = verdict
        self._from_ms, self._to_ms = 0, 1 << 62
        self._row_times = [row.at_ms for row in rows]
        self._answer_times = [answer.at_ms for answer in answers]

    def judge(self, final: bool, from_ms: int, to_ms: int) -> None:
        self._from_ms, self._to_ms = from_ms, to_ms
        horizon_ms = to_ms
        if not final:
            last_ms = max((row.at_ms for row in self.rows if row.in_order), default=0)
            horizon_ms = min(to_ms, last_ms - NEAR_MS - self.rule.interval_ms)
        if self.rule.pushed:
            self._judge_pushed(horizon_ms)
        else:
            self._judge_asked(horizon_ms)
        self._find_altered()
        self._find_duplicates()

    def _rows_between(self, from_ms: int, to_ms: int) -> Sequence[Row]:
        return self.rows[
            bisect_left(self._row_times, from_ms) : bisect_right(self._row_times, to_ms)
        ]

    def _answers_between(self, from_ms: int, to_ms: int) -> Sequence[Answer]:
        return self.answers[
            bisect_left(self._answer_times, from_ms) : bisect_right(self._answer_times, to_ms)
        ]

    def _judge_asked(self, horizon_ms: int) -> None:
        for answer in self._answers_between(self._from_ms, horizon_ms - 1):
            if not answer.intact:
                self.verdict.garbled += 1
                continue
            self.verdict.answered += 1
            missing = self._missing(answer)
            if not missing:
                self.verdict.stored += 1
            elif self._superseded(answer, missing):
                self.verdict.superseded += 1
            else:
                self._declare(answer.at_ms, answer.at_ms, missing)

    def _missing(self, answer: Answer) -> set[str]:
        """Return the points of an answer that no row near it holds with the same value."""
        near = self._rows_between(answer.at_ms - NEAR_MS, answer.at_ms + NEAR_MS)
        return {
            point
            for point, value in answer.values.items()
            if point in self.rule.points
            and value is not None
            and not any(self.rule.agrees(point, value, row.values.get(point)) for row in near)
        }

    def _superseded(self, answer: Answer, missing: set[str]) -> bool:
        later = self._answers_between(answer.at_ms + 1, answer.at_ms + NEAR_MS)
        return any(
            other.intact and missing <= set(other.values) and not self._missing(other)
            for other in later
        )

    def _judge_pushed(self, horizon_ms: int) -> None:
        interval_ms = self.rule.interval_ms
        slots: dict[int, list[Answer]] = {}
        for answer in self.answers:
            if answer.intact:
                slots.setdefault(answer.at_ms // interval_ms, []).append(answer)
            elif self._from_ms <= answer.at_ms < horizon_ms:
                self.verdict.garbled += 1
        for slot in slots:
            begin_ms, end_ms = slot * interval_ms, (slot + 1) * interval_ms
            if not self._from_ms <= begin_ms < horizon_ms:
                continue
            self.verdict.answered += 1
            frames = [a for k in (slot - 1, slot, slot + 1) for a in slots.get(k, ())]
            rows = self._rows_between(begin_ms - NEAR_MS // 3, end_ms + NEAR_MS // 3)
            if any(self._same(row, frame) for row in rows for frame in frames):
                self.verdict.stored += 1
            else:
                self._declare(begin_ms, end_ms, set(self.rule.points))

    def _same(self, row: Row, frame: Answer) -> bool:
        return any(value is not None for value in row.values.values()) and all(
            self.rule.agrees(point, value, row.values.get(point))
            for point, value in frame.values.items()
            if point in self.rule.points and value is not None
        )

    def _declare(self, from_ms: int, to_ms: int, missing: set[str]) -> None:
        """Find what the gateway said about the span, or count it as lost."""
        for gap in self.gaps:
            if gap.from_ms - NEAR_MS <= to_ms and from_ms <= gap.to_ms + NEAR_MS:
                self.verdict.declared[gap.cause] += 1
                return
        reach_ms = max(NEAR_MS, self.rule.interval_ms)
        for row in self._rows_between(from_ms - reach_ms, to_ms + reach_ms):
            causes = {
                row.quality[point]
                for point in missing
                if row.values.get(point) is None and row.quality.get(point)
            }
            if causes:
                self.verdict.declared[QUALITY_NAMES[max(causes)]] += 1
                return
        self.verdict.lost += 1
        self.verdict.fault(
            f"lost: {next(iter(self.answers)).meter} {from_ms}..{to_ms} {sorted(missing)[:4]}"
        )

    def _find_altered(self) -> None:
        for row in self._rows_between(self._from_ms, self._to_ms - 1):
            for point, value in row.values.items():
                if value is None or self._was_read(row.at_ms, point, value):
                    continue
                self.verdict.altered += 1
                self.verdict.fault(f"altered: {row.meter} {row.at_ms} {point}={value}")

    def _was_read(self, at_ms: int, point: str, value: int) -> bool:
        """Tell whether a stored value was on the wire at its time, or could be held then."""
        near = self._answers_between(at_ms - NEAR_MS, at_ms + NEAR_MS)
        read = [a.values[point] for a in near if point in a.values]
        if any(self.rule.is_exact(point, each, value) for each in read):
            return True
        if not any(self.rule.agrees(point, each, value) for each in read):
            return False
        # Held: within its silence the same was stored when it was read, and nothing else since.
        silence_ms = self.rule.thin[point].silence_ms
        before = self._rows_between(at_ms - silence_ms - NEAR_MS, at_ms - 1)
        for row in reversed(before):
            if row.values.get(point) != value:
                return False
            beside = self._answers_between(row.at_ms - NEAR_MS, row.at_ms + NEAR_MS)
            if any(self.rule.is_exact(point, a.values.get(point), value) for a in beside):
                return True
        return any(  # the reading that began it is gone, and that was said
            gap.cause.startswith("lost")
            and gap.from_ms <= at_ms
            and at_ms - silence_ms <= gap.to_ms
            for gap in self.gaps
        )

    def _find_duplicates(self) -> None:
        # A late turn may end in the next slot: a row takes the first free slot of the two.
        taken = -1
        last_ms = -1
        for row in self.rows:
            slot = row.at_ms // self.rule.interval_ms
            free = max(taken + 1, slot - 1)
            if row.at_ms == last_ms or free > slot:
                if self._from_ms <= row.at_ms < self._to_ms:
                    self.verdict.duplicated += 1
                    self.verdict.fault(f"duplicated: {row.meter} {row.at_ms}")
            else:
                taken = free
            last_ms = row.at_ms
