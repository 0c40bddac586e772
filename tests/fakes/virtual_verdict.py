"""What became of every answer of virtual meters: stored, superseded, declared, or lost.

    verdict = judge(records, ledger, meters, every_ms=60_000, begun_ms=..., now_ms=...)

Portable. Not here: the demonstration's oracle (host_tools/oracle.py), which reads a database.
"""

import json

from agent.codec import decode
from agent.record import BLOCK, BOOT, LOST, TIME, check_record
from drivers.reading import GOOD
from tests.fakes.virtual_meters import sensor_value

NEAR_MS = 3000
_NULL_MS = 30000  # a row of nulls speaks for what was asked so long before
_BUCKET_MS = 10000


class Verdict:
    """The counts of the ledger: answered = stored + superseded + declared + len(lost)."""

    def __init__(self):
        self.answered = self.stored = self.superseded = self.declared = 0
        self.lost = []  # (meter, number, wall ms)
        self.doubled = []
        self.altered = []

    @property
    def wrong(self):
        """What must be empty."""
        return self.lost, self.doubled, self.altered


class _Spans:
    """Declared spans of time: disjoint and sorted once they are merged."""

    def __init__(self):
        self._found = []
        self._merged = None

    def add(self, from_ms, to_ms):
        self._found.append((from_ms, to_ms))

    def meets(self, from_ms, to_ms):
        """Return true when a span has something of from_ms .. to_ms."""
        if self._merged is None:
            merged: list = []
            self._merged = merged
            for a, b in sorted(self._found):
                if merged and a <= merged[-1][1]:
                    merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
                else:
                    merged.append((a, b))
        at = _after(self._merged, (to_ms, 1 << 62))
        return at > 0 and self._merged[at - 1][1] >= from_ms


def _after(items, item):
    """Return how many of the sorted items are <= item."""
    low, high = 0, len(items)
    while low < high:
        middle = (low + high) // 2
        if items[middle] <= item:
            low = middle + 1
        else:
            high = middle
    return low


def _has_near(times, at_ms):
    at = _after(times, at_ms + NEAR_MS)
    return at > 0 and times[at - 1] >= at_ms - NEAR_MS


class _Read:
    """What the records say: rows (meter, wall ms, number), spans by meter, clock settings."""

    def __init__(self, records, ledger, meters, begun_ms, now_ms):
        asked = len(meters)
        self._meters = meters
        self.rows = []
        self.spans = [_Spans() for _ in range(asked + 1)]
        self.aligned = []
        self._asked = asked
        self._sensor: dict = {}
        for meter, number, at_ms in ledger:
            if meter == asked:
                self._sensor.setdefault(at_ms // _BUCKET_MS, []).append((at_ms, number))
        blocks, holes, boots, starts = self._sort(records)
        self._take_boots(boots, starts, begun_ms)
        for block in blocks:
            base_ms = 0 if block.clock else starts.get(block.boot)
            if base_ms is None:
                continue  # never dated: its answers count as missing
            for at_ms, values, quality in block.rows:
                self._take(block.meter, base_ms + at_ms, values, quality)
        for at in holes:
            self._take_hole(blocks, at, starts, begun_ms, now_ms)

    def _sort(self, records):
        blocks, holes, boots = [], [], []
        starts: dict = {}
        for record in records:
            kind, _, _, start, end = check_record(record, 0, len(record))
            if kind == BLOCK:
                blocks.append(decode(record[start:end]))
                continue
            tree = json.loads(record[start:end])
            if kind == TIME:
                self.aligned.append(tree["wall_ms"])
                starts.setdefault(tree["boot"], tree["wall_ms"] - tree["uptime_ms"])
            elif kind == BOOT:
                boots.append(tree)
            elif kind == LOST:
                holes.append(len(blocks))
        return blocks, holes, boots, starts

    def _take_boots(self, boots, starts, before_ms):
        for tree in boots:
            began_ms = tree["to_ms"] or starts.get(tree["boot"], before_ms)
            for spans in self.spans:
                spans.add(tree["from_ms"] or before_ms, began_ms)
            before_ms = began_ms

    def _take(self, meter, at_ms, values, quality):
        if values[0] is None:
            self.spans[meter].add(at_ms - _NULL_MS, at_ms)
        elif meter == self._asked:
            self.rows.append((meter, at_ms, self._number_of(at_ms, values[0])))
        else:
            second = self._meters[meter].second(values[0])
            whole = values[1] == second and bytes(quality) == bytes((GOOD, GOOD))
            self.rows.append((meter, at_ms, values[0] if whole else -1))

    def _number_of(self, at_ms, value):
        """Return which frame of the sensor a row holds, the nearest in time; -1: none."""
        for bucket in range((at_ms - NEAR_MS) // _BUCKET_MS, (at_ms + NEAR_MS) // _BUCKET_MS + 1):
            for heard_ms, number in self._sensor.get(bucket, ()):
                if abs(heard_ms - at_ms) <= NEAR_MS and sensor_value(number) == value:
                    return number
        return -1

    def _take_hole(self, blocks, at, starts, begun_ms, now_ms):
        """A LOST record declares, for each meter, what lies between its blocks on both sides."""
        for meter in range(self._asked + 1):
            from_ms, to_ms = begun_ms, now_ms
            for i in range(at - 1, -1, -1):
                if blocks[i].meter == meter:
                    from_ms = _instant(blocks[i], -1, starts)
                    break
            for i in range(at, len(blocks)):
                if blocks[i].meter == meter:
                    to_ms = _instant(blocks[i], 0, starts)
                    break
            self.spans[meter].add(from_ms, to_ms)


def judge(records, ledger, meters, every_ms, begun_ms, now_ms):
    """Compare what meters said with what arrived; return a Verdict.

    records   whole records in the order of their numbers
    ledger    (meter, number, wall ms) of each intact answer, in time
    meters    those that are asked; one more pushes, and is due every every_ms
    """
    asked = len(meters)
    read = _Read(records, ledger, meters, begun_ms, now_ms)
    verdict = Verdict()
    instants = {(meter, number): at_ms for meter, number, at_ms in ledger}
    seen = set()
    times: list = [[] for _ in range(asked + 1)]
    for meter, at_ms, number in read.rows:
        if (meter, number) in seen:
            verdict.doubled.append((meter, number, at_ms))
        elif abs(instants.get((meter, number), 0) - at_ms) > NEAR_MS:
            verdict.altered.append((meter, number, at_ms))
        seen.add((meter, number))
        times[meter].append(at_ms)
    for stored in times:
        stored.sort()
    for meter, number, at_ms in ledger:
        if meter == asked:
            continue
        verdict.answered += 1
        if (meter, number) in seen:
            verdict.stored += 1
        elif _has_near(times[meter], at_ms):
            verdict.superseded += 1
        elif read.spans[meter].meets(at_ms - NEAR_MS, at_ms + NEAR_MS):
            verdict.declared += 1
        else:
            verdict.lost.append((meter, number, at_ms))
    _judge_pushed(read, ledger, asked, every_ms, times[asked], verdict)
    return verdict


def _judge_pushed(read, ledger, asked, every_ms, rows, verdict):
    """A meter that pushes owes a reading per period: no two rows are further apart than 1.5."""
    heard = [at_ms for meter, _, at_ms in ledger if meter == asked]
    verdict.answered += len(rows)
    verdict.stored += len(rows)
    read.aligned.sort()
    ends = rows + [heard[-1]]  # noqa: RUF005 - absent on the device
    from_ms = heard[0]
    for to_ms in ends:
        if to_ms - from_ms > every_ms * 3 // 2:
            verdict.answered += 1
            set_at = _after(read.aligned, to_ms)
            if read.spans[asked].meets(from_ms, to_ms):
                verdict.declared += 1
            elif set_at and read.aligned[set_at - 1] >= from_ms:
                verdict.superseded += 1  # its period was cut when the clock was set
            else:
                verdict.lost.append((asked, to_ms - from_ms, from_ms))
        from_ms = to_ms


def _instant(block, row, starts):
    return block.rows[row][0] + (0 if block.clock else starts.get(block.boot, 0))
