"""TIC: the customer output ("télé-information client") of French electricity meters.

Linky in its modes historique (1200 baud, space) and standard (9600 baud, tab), PME-PMI; all 7E1,
all spoken unasked. Not here: labels (drivers/tic_labels.py), data
(drivers/tic_data.py). Sources:
Enedis-NOI-CPT_54E, 5.3 and 6; Enedis-NOI-CPT_02E, 5.

    STX group group ... ETX
    group:  LF label SEP [date SEP] data SEP check CR
            check = (sum & 0x3F) + 0x20 over label .. data, with the last SEP where SEP is a tab

Each group stands alone: one lost in the middle of a frame costs its own value and no other. A
frame ends with ETX, EOT, the next STX, a label that comes twice, or silence. Six bits of checksum
let one damaged group in 64 pass, so a label must be known, its data must have the standard's
form, and a counter must not move faster than a meter can: else the value is IMPLAUSIBLE until the
next frame says it again. Short frames of an over-load (ADIR) give a reading at a desk only.

Options: "mode": "auto" looks for the meter at 9600 and 1200 baud in turn; otherwise the port's
settings hold. Codes of a map are labels; "STGE.tariff" is a field of the status word.
"""

from micropython import const

from drivers import drop
from drivers.errors import BadFrame
from drivers.gather import NEW, NOT_WANTED, Gather
from drivers.reading import BAD_FRAME, COUNTER, GOOD, IMPLAUSIBLE, MISSING, STATE, TEXT
from drivers.tic_data import horodate, number, slashed, united
from drivers.ticks import ticks_diff

_HT = const(0x09)
_LF = const(0x0A)
_CR = const(0x0D)
_SPACE = const(0x20)
_ENDS = b"\x02\x03\x04"  # STX, ETX, EOT

_SIZE = const(160)  # the longest group, PJOURF+1, has 109 characters
_FAST = (9600, 7, "E", 1)
_SLOW = (1200, 7, "E", 1)
_SEARCH_BYTES = const(400)  # bytes without a good group after which "auto" tries the other rate
_SEARCH_MS = const(4000)
_POWER_KW = const(300)  # no meter with this output measures more: 250 kVA and a margin
_SUSPECT = const(5)  # damaged groups of the last 16, for so long, make a slow receiver likely
_SUSPECT_MS = const(60_000)
_SLOW_RECEIVER = (
    "groups are damaged at 9600 baud: an optocoupler too slow? Use a faster one, or a smaller "
    "load resistor at its output"
)


def _ones(word):
    count = 0
    while word:
        count += word & 1
        word >>= 1
    return count


def _begins(line, stop, label):
    """Return whether line[:stop] is this label or begins with it."""
    if stop < len(label):
        return False
    for i in range(len(label)):
        if line[i] != label[i]:
            return False
    return True


def _labels():
    """Return the module of the labels: 8 KB, wanted while meters are made, and at a desk."""
    from drivers import tic_labels

    return tic_labels


def forget():
    """Let the labels go (drivers.forget_maps): every meter knows its own."""
    drop("tic_labels")


def _key(code):
    """Return the label of a map's code."""
    label = code.split(".")[0].encode()
    if _labels().look_up(label) is None:
        raise ValueError("points: TIC has no label %s" % code)
    return label


class _Spec:
    """How the data of one point reads."""

    def __init__(self, code):
        label, _, part = code.partition(".")
        self.name, self.unit, self.kind, self.width, self.base = _labels().look_up(label.encode())
        self.shift = 0
        self.mask = 0  # 0: the whole number
        if part:
            for name, low, count in _labels().STGE:
                if name == part and label == "STGE":
                    self.shift = low
                    self.mask = (1 << count) - 1
        if part and not self.mask:
            raise ValueError("points: the status word has no field %s" % code)


class TIC:
    """One meter's customer output. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 400_000  # two frames are 17 to 33 ms apart; a byte at 1200 baud takes 8 ms
    reply_ms = 10_000

    def __init__(self, table, options):
        """table: a MAP whose codes are labels, or None; options: see the module."""
        self._gather = Gather(table, options, _key)
        self.points = self._gather.points
        self._specs = tuple([_Spec(p.code) for p in self.points])
        mode = options.get("mode", "")
        if mode not in ("", "auto"):
            raise ValueError("mode: %s is none of: auto" % mode)
        self._searches = mode == "auto"
        self.line = _FAST if self._searches else None
        self.hint = ""  # what a person should look at, "" when nothing
        self._line = bytearray(_SIZE)
        count = len(self.points)
        self._last = [None] * count  # counters: last believed value
        self._last_ms = [0] * count
        self._doubted = [None] * count  # one that was not believed, to be said again
        self._history = 0  # a bit for each of the last 16 groups: damaged
        self._is_tabbed = False  # the last good group was one of the standard mode
        self._suspect_ms = None  # since when it has been so
        self._now_ms = 0
        self._unknown = 0  # bytes since the last good group
        self._good_ms = None
        self._seen = {}  # labels of this frame, without a map
        self.reset()

    def request(self, out):
        """Return 0: TIC is never asked."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half frame."""
        self._begin()
        self._is_group = False
        self._length = 0

    def _begin(self):
        self._gather.start()
        self._damaged = 0
        self._is_short = False
        if self._seen:
            self._seen = {}

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each frame, with what its good groups hold."""
        if start == end:
            self._finish(now_ms, emit)
            was_group = self._is_group and self._length
            self._is_group = False
            if was_group:
                raise BadFrame("silence after %d characters of a group" % self._length, end)
            return end
        line = self._line
        self._now_ms = now_ms
        if self._searches:
            self._unknown += end - start
            self._search(now_ms)
        for i in range(start, end):
            byte = data[i] & 0x7F  # with its parity bit where the port reads 8N1
            if byte == _LF:
                # Between two groups, and at a terminal that has turned CR into LF, behind one.
                try:
                    if self._is_group and self._length:
                        self._take(i + 1, now_ms, emit)
                finally:
                    self._is_group = True
                    self._length = 0
            elif byte == _CR:
                if self._is_group:
                    self._is_group = False
                    self._take(i + 1, now_ms, emit)
            elif byte in _ENDS:
                was_group = self._is_group and self._length
                self._is_group = False
                if was_group:
                    self._damaged += 1
                self._finish(now_ms, emit)
                if was_group:
                    self._spoil("frame ended inside a group", i + 1)
            elif self._is_group:
                if self._length == _SIZE:
                    self._is_group = False
                    self._spoil("group longer than %d characters" % _SIZE, i + 1)
                line[self._length] = byte
                self._length += 1
        return end

    def _search(self, now_ms):
        """Change to the other rate when bytes come and nothing good is among them."""
        if self._good_ms is None:
            self._good_ms = now_ms
        if self._unknown >= _SEARCH_BYTES and ticks_diff(now_ms, self._good_ms) >= _SEARCH_MS:
            self._unknown = 0
            self._good_ms = now_ms
            self.line = _SLOW if self.line is _FAST else _FAST
            self.reset()

    def _spoil(self, why, resume):
        """Count a damaged group and refuse it."""
        self._damaged += 1
        self._history = (self._history << 1 | 1) & 0xFFFF
        if not self._is_tabbed or _ones(self._history) < _SUSPECT:
            self._suspect_ms = None
        elif self._suspect_ms is None:
            self._suspect_ms = self._now_ms
        elif ticks_diff(self._now_ms, self._suspect_ms) >= _SUSPECT_MS:
            self.hint = _SLOW_RECEIVER
        raise BadFrame("TIC: " + why, resume)

    def _take(self, resume, now_ms, emit):
        """Check the group in the line and put its value where it belongs."""
        line = self._line
        length = self._length
        if length < 5:
            self._spoil("group of %d characters" % length, resume)
        separator = line[length - 2]
        if separator not in (_HT, _SPACE):
            self._spoil("0x%02x where the separator should be" % separator, resume)
        total = 0
        for i in range(length - 1 if separator == _HT else length - 2):
            total += line[i]
        check = (total & 0x3F) + 0x20
        if check != line[length - 1]:
            why = "check 0x%02x, computed 0x%02x" % (line[length - 1], check)
            self._spoil(why, resume)
        stop = 0
        while line[stop] != separator:
            stop += 1
        if stop == length - 2:
            self._spoil("group without data", resume)
        self._history = self._history << 1 & 0xFFFF
        self._is_tabbed = separator == _HT
        self._unknown = 0
        if not self._history:
            self._suspect_ms = None
            self.hint = ""
        self._good_ms = now_ms
        begin = stop + 1
        time = None
        if separator == _HT:
            tab = begin
            while tab < length - 2 and line[tab] != _HT:
                tab += 1
            if tab < length - 2:
                time = horodate(line, begin, tab)
                begin = tab + 1
        try:
            self._place(stop, begin, length - 2, time, now_ms, emit)
        except ValueError as why:
            self._history |= 1  # it was counted as a good one
            self._damaged += 1
            raise BadFrame("TIC: %s" % why, resume)

    def _place(self, stop, begin, end, time, now_ms, emit):
        """Put the data line[begin:end] of label line[:stop] into every point that wants it."""
        line = self._line
        gather = self._gather
        if stop == 4 and _begins(line, stop, b"DATE"):
            if line[stop] == _HT and begin < end:
                raise ValueError("DATE with data")
            gather.time = time if line[stop] == _HT else slashed(line, begin, end)
        elif _begins(line, stop, b"ADIR"):
            self._is_short = True
        at = gather.find(line, 0, stop)
        if at == NEW:
            self._show(bytes(line[:stop]), begin, end, time, now_ms, emit)
            return
        if gather.is_filled(at):
            self._finish(now_ms, emit)
        while at != NOT_WANTED:
            spec = self._specs[at]
            if spec.base == 0:
                gather.put(at, "", bytes(line[begin:end]), 0, "", TEXT, time)
            elif spec.width < 0:
                value, exponent, unit = united(line, begin, end)
                gather.put(at, "", value, exponent, unit, spec.kind, time)
            else:
                value = number(line, begin, end, spec.base)
                quality = GOOD if end - begin == spec.width else IMPLAUSIBLE
                if spec.mask:
                    value = (value >> spec.shift) & spec.mask
                elif spec.kind == COUNTER and quality == GOOD:
                    quality = self._believe(at, value, now_ms)
                gather.put(at, "", value, 0, spec.unit, spec.kind, time, quality)
            at = gather.find(line, 0, stop, at)

    def _show(self, label, begin, end, time, now_ms, emit):
        """Without a map: make a point of this group."""
        spec = _labels().look_up(label)
        if spec is None:
            raise ValueError("no label %s is known" % label.decode())
        if label in self._seen:
            self._finish(now_ms, emit)
        self._seen[label] = True
        name, unit, kind, width, base = spec
        gather = self._gather
        line = self._line
        code = label.decode()
        if base == 0:
            gather.put(NEW, code, bytes(line[begin:end]), 0, "", TEXT, time, GOOD, name)
            return
        exponent = 0
        if width < 0:
            value, exponent, unit = united(line, begin, end)
            quality = GOOD
        else:
            value = number(line, begin, end, base)
            quality = GOOD if end - begin == width else IMPLAUSIBLE
        gather.put(NEW, code, value, exponent, unit, kind, time, quality, name)
        if code == "STGE":
            for field, low, count in _labels().STGE:
                gather.put(
                    NEW,
                    "STGE." + field,
                    (value >> low) & ((1 << count) - 1),
                    0,
                    "",
                    STATE,
                    time,
                    quality,
                    "status_" + field,
                )

    def _believe(self, at, value, now_ms):
        """Return GOOD for a counter that may have got there since, else IMPLAUSIBLE.

        A value that the next frame goes on from is believed: the meter was exchanged.
        """
        last = self._last[at]
        doubted = self._doubted[at]
        # kW and ms: kWh * 3 600 000; in Wh that is the elapsed ms * kW / 3600
        room = 10 + ticks_diff(now_ms, self._last_ms[at]) * _POWER_KW // 3600
        self._doubted[at] = None
        if last is None or 0 <= value - last <= room:
            pass
        elif doubted is None or not 0 <= value - doubted <= room:
            self._doubted[at] = value
            return IMPLAUSIBLE
        self._last[at] = value
        self._last_ms[at] = now_ms
        return GOOD

    def _finish(self, now_ms, emit):
        """Emit what the frame held, if anything; begin the next."""
        gather = self._gather
        if gather.found and not (self._is_short and self.points):
            damaged = self._damaged
            reading = gather.finish(now_ms)
            if damaged and self.points:
                quality = reading.quality
                for i in range(len(quality)):
                    if quality[i] == MISSING:
                        quality[i] = BAD_FRAME
            emit(reading)
        self._begin()
