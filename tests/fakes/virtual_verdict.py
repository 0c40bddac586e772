"""What became of every answer of virtual meters: stored, superseded, declared, or lost.

    read = Read(records, ledger, meters, begun_ms, now_ms, offs, lives, eras)
    verdict = judge(read, ledger, meters, sensor, every_ms, set_ms)

Portable. Not here: the demonstration's oracle (host_tools/sim/oracle.py), which reads a database.
"""

import json

from agent.codec import decode
from agent.record import BLOCK, BOOT, LOST, TIME, check_record
from drivers.reading import GOOD
from tests.fakes.virtual_meters import sensor_value

NEAR_MS = 3000
_LATEST_MS = 3500  # after its request an answer may come, behind that to another try
_NULL_MS = 30000  # a row of nulls speaks for what was asked so long before
_LATE_MS = 3000  # and for the answer that came when its turn was given up
_BUCKET_MS = 10000


class Verdict:
    """The counts of the ledger: answered = stored + superseded + declared + len(lost)."""

    def __init__(self):
        self.answered = self.stored = self.superseded = self.declared = 0
        self.lost = []  # (meter, number, wall ms)
        self.doubled = []
        self.altered = []
        self.disordered = []
        self.unbalanced = []  # (meter, Wh too much, wall ms of the end)

    @property
    def wrong(self):
        """What must be empty."""
        return self.lost, self.doubled, self.altered + self.disordered + self.unbalanced


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
    return at > 0 and times[at - 1] >= at_ms - _LATEST_MS


class Read:
    """What the records say: rows (meter, wall ms, number), and spans by meter.

    records   whole records in the order of their numbers
    ledger    (meter, number, ms) of each intact answer, in time; ms: as the gateway's clock was
    meters    those that are asked; one more pushes
    offs      {(meter, number): ms} that the clock was ahead when a meter gave that answer
    lives     {boot: true ms at which it began}
    eras      (true ms, ms that the clock was ahead from then on), in time

    spans     of each meter, declared as the gateway's clock was
    gone      declared by its starts, in true time: `from_ms` is told by the clock of the readings
              before, `to_ms` by that of the readings behind it
    """

    def __init__(self, records, ledger, meters, begun_ms, now_ms, offs, lives, eras):
        asked = len(meters)
        self._meters = meters
        self.rows = []
        self.counts: list = [[] for _ in meters]  # of each counter, as the records have them
        self.spans = [_Spans() for _ in range(asked + 1)]
        self._asked = asked
        self.offs = offs
        self.gone = _Spans()
        self._lives = lives
        self._eras = eras
        self._sensor: dict = {}
        for meter, number, at_ms in ledger:
            if meter == asked:
                self._sensor.setdefault(at_ms // _BUCKET_MS, []).append((at_ms, number))
        blocks, holes, boots, starts = self._sort(records)
        self._take_boots(boots, begun_ms)
        for block in blocks:
            base_ms = _base_ms(block, starts)
            if base_ms is None:
                continue  # never dated: its answers count as missing
            for at_ms, values, quality in block.rows:
                self._take(block.meter, base_ms + at_ms, values, quality)
        for at in holes:
            self._take_hole(blocks, at, starts, begun_ms, now_ms)

    def declares(self, meter, number, at_ms):
        """Tell whether the records say that this answer may be missing.

        Under a wrong clock its time may be said as it was, or as it truly was.
        """
        true_ms = at_ms - self.offs.get((meter, number), 0)
        for label_ms in (at_ms, true_ms):
            if self.spans[meter].meets(label_ms - NEAR_MS, label_ms + NEAR_MS):
                return True
        return self.gone.meets(true_ms - NEAR_MS, true_ms + NEAR_MS)

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
                starts.setdefault(tree["boot"], tree["wall_ms"] - tree["uptime_ms"])
            elif kind == BOOT:
                boots.append(tree)
            elif kind == LOST:
                holes.append(len(blocks))
        return blocks, holes, boots, starts

    def _take_boots(self, boots, before_ms):
        alive_ms = before_ms
        for tree in boots:
            began_ms = self._lives[tree["boot"]]
            until_ms = began_ms
            if tree["to_ms"]:  # else a TIME record tells it
                offs = [off_ms for since_ms, off_ms in self._eras if since_ms <= began_ms]
                until_ms = tree["to_ms"] - offs[-1]
            # A life that saved nothing leaves what the one before it knew.
            alive_ms = self._true_ms(tree["from_ms"], alive_ms, before_ms, began_ms)
            self.gone.add(max(alive_ms, before_ms), until_ms)
            before_ms = began_ms

    def _true_ms(self, from_ms, alive_ms, before_ms, began_ms):
        """Return the first instant from alive_ms on that a gateway may mean by `from_ms`.

        By any clock that it had meanwhile: when the clock is set, it takes what it knows along.
        0, not known, is since the start before; so is what no such clock said.
        """
        found_ms = began_ms + 1
        for i, (since_ms, off_ms) in enumerate(self._eras):
            is_over = i + 1 < len(self._eras) and self._eras[i + 1][0] < alive_ms
            true_ms = from_ms - off_ms
            if not is_over and since_ms <= began_ms and alive_ms - NEAR_MS <= true_ms < found_ms:
                found_ms = true_ms
        return found_ms if found_ms <= began_ms else before_ms

    def _take(self, meter, at_ms, values, quality):
        if values[0] is None:
            self.spans[meter].add(at_ms - _NULL_MS, at_ms + _LATE_MS)
        elif meter == self._asked:
            self.rows.append((meter, at_ms, self._number_of(at_ms, values[0])))
        else:
            asked = self._meters[meter]
            # Two requests are two answers: between them a counter may have gone on.
            answers = (values[0], values[0] + 1) if asked.is_counter else (values[0],)
            whole = values[1] in [asked.second(number) for number in answers]
            whole = whole and bytes(quality) == bytes((GOOD, GOOD))
            self.rows.append((meter, at_ms, values[0] if whole else -1))
            self.counts[meter].append(values[1])

    def _number_of(self, at_ms, value):
        """Return which frame of the sensor a row holds, the nearest in time; -1: none."""
        for bucket in range((at_ms - NEAR_MS) // _BUCKET_MS, (at_ms + NEAR_MS) // _BUCKET_MS + 1):
            for heard_ms, number in self._sensor.get(bucket, ()):
                if abs(heard_ms - at_ms) <= NEAR_MS and sensor_value(number) == value:
                    return number
        return -1

    def _take_hole(self, blocks, at, starts, begun_ms, now_ms):
        """A LOST record declares, for each meter, what lies between its answers on both sides.

        In the true time, for the clock may have been wrong on one side: how far, an answer knows.
        """
        before, behind = blocks[:at][::-1], blocks[at:]
        for meter in range(self._asked + 1):
            from_ms = self._true_edge(meter, before, starts, -1, begun_ms)
            to_ms = self._true_edge(meter, behind, starts, 1, now_ms)
            if from_ms <= to_ms:
                self.spans[meter].add(from_ms, to_ms)

    def _true_edge(self, meter, blocks, starts, way, end_ms):
        """Return when a meter's first answer in the blocks truly was; `end_ms`: there is none.

        way    of each block's rows, as the blocks come: 1 forwards, -1 backwards
        """
        for block in blocks:
            base_ms = _base_ms(block, starts)
            if block.meter != meter or base_ms is None:
                continue
            for at_ms, values, _ in block.rows[::way]:
                number = values[0]
                if number is not None and meter == self._asked:
                    number = self._number_of(base_ms + at_ms, number)
                if number is not None and number >= 0:
                    return base_ms + at_ms - self.offs.get((meter, number), 0)
        return end_ms


def judge(read, ledger, meters, sensor, every_ms, set_ms):
    """Compare what meters said with what arrived; return a Verdict.

    sensor    the one that pushes, and is due every every_ms
    set_ms    true times at which the clock was set
    """
    asked = len(meters)
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
        elif read.declares(meter, number, at_ms):
            verdict.declared += 1
        else:
            verdict.lost.append((meter, number, at_ms))
    _judge_pushed(read, sensor, asked, every_ms, set_ms, verdict)
    for index, meter in enumerate(meters):
        _judge_order(read.rows, index, meter, verdict)
        if meter.is_counter:
            _judge_balance(read.counts[index], ledger, index, meter, seen, verdict)
    return verdict


def _judge_order(rows, index, meter, verdict):
    """In the order of the records a meter's answers are in the order in which it gave them."""
    before = (-1, -1)
    for at, at_ms, number in rows:
        if at == index and number >= 0:
            here = (meter.life(number), number)
            if here <= before:
                verdict.disordered.append((index, number, at_ms))
            before = here


def _judge_balance(counts, ledger, index, meter, seen, verdict):
    """What the stored counter rose by is what the meters' own rose by, to the Wh.

    A counter that goes back was exchanged: what the new one had counted before its first stored
    answer, and the old one after its last, is nobody's (host_tools/collect/consumption.py).
    """
    rose = 0
    for i in range(1, len(counts)):
        rose += max(0, counts[i] - counts[i - 1])
    lives: dict = {}
    end_ms = 0
    for at, number, at_ms in ledger:
        if at == index and (index, number) in seen:
            value = meter.second(number)
            first, _ = lives.get(meter.life(number), (value, 0))
            lives[meter.life(number)] = (first, value)
            end_ms = at_ms
    owed = sum([last - first for first, last in lives.values()])
    if rose != owed:
        verdict.unbalanced.append((index, rose - owed, end_ms))


def _judge_pushed(read, sensor, asked, every_ms, set_ms, verdict):
    """A meter that pushes owes a reading per period: no two rows are further apart than 1.5."""
    heard = sensor.heard
    rows = [(heard[n], at_ms) for meter, at_ms, n in read.rows if meter == asked and n in heard]
    rows.sort()
    verdict.answered += len(rows)
    verdict.stored += len(rows)
    numbers = sorted(heard)
    first_ms, last_ms = heard[numbers[0]], heard[numbers[-1]]
    offs = [rows[0][1] - rows[0][0], rows[-1][1] - rows[-1][0]] if rows else [0, 0]
    rows.append((last_ms, last_ms + offs[1]))
    true_ms, label_ms = first_ms, first_ms + offs[0]
    for next_ms, next_label_ms in rows:
        if next_ms - true_ms > every_ms * 3 // 2:
            verdict.answered += 1
            set_at = _after(set_ms, next_ms)
            spans = read.spans[asked]
            # In the true time too, where the clock was wrong on one side.
            is_gone = read.gone.meets(true_ms, next_ms) or spans.meets(true_ms, next_ms)
            if is_gone or spans.meets(label_ms, next_label_ms):
                verdict.declared += 1
            elif set_at and set_ms[set_at - 1] >= true_ms:
                verdict.superseded += 1  # its period was cut when the clock was set
            else:
                verdict.lost.append((asked, next_ms - true_ms, true_ms))
        true_ms, label_ms = next_ms, next_label_ms


def _base_ms(block, starts):
    """Return what the times of a block's rows are from; None: it was never dated."""
    return 0 if block.clock else starts.get(block.boot)
