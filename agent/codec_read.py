"""Blocks -> rows, of any version; what a collector needs and a gateway does not.

Not the check sum and the way in (codec.py: decode()).
"""

from micropython import const

from agent.codec import LONG, MILLIS, VERSION_1, VERSION_2, VERSION_4, VERSION_5
from agent.codec_rows import CELLS_MAX, BadBlock, Rows

_HEAD = const(7)
_CRC = const(4)

# Words of the block (codec_plain.py).
_AT = const(2)
_SLOT = const(5)
_BAD = const(7)
_FAR = const(8)
_NOBODY = const(0xFFFF)
_ABSENT = const(0x1000000)
_READ = const(1)
_BIAS = const(0x20000000)
_WORDS = const(22)
_CHANNEL = const(33)
_FAR_OFF = const(2)
_LEAST_OF_OLD = const(32)  # chance, in versions 2 and 3


def after(at_ms, step_ms):
    """Return the time of a row, step_ms after the one before."""
    at_ms += step_ms
    if not 0 <= at_ms < 1 << 63:
        raise BadBlock("a row of %d ms" % at_ms)
    return at_ms


class Reader(Rows):
    """Rows, in the direction from bytes to values."""

    _mode = _READ

    def __init__(self, points, like=None):
        super().__init__(points, like)
        # For each point the word that its value is in and what to add; no word: it has no value.
        self._places: list = []
        self._usual = b""
        self._plain = 1

    def begin(self, data, at, end):
        """Start at the index `at` of data, of which end is the first byte beyond the rows."""
        if self.version < VERSION_4:
            self._table = self._table_of_old()
        self._plain = 1  # the row before the first counts as one
        self._begin(data, at, end, _NOBODY)

    def _table_of_old(self):
        from agent.codec_odds import table

        return table(_LEAST_OF_OLD)

    def read(self, count, at_ms):
        """Return count rows, the first of them of at_ms: (at_ms, values, quality) each."""
        rows = []
        for i in range(count):
            step_ms, values, quality = self.get(i == 0)
            at_ms = after(at_ms, step_ms)
            rows.append((at_ms, values, quality))
        return rows

    def get(self, is_first=False):
        """Read one row; return the step in ms, the values (list) and the qualities (bytes)."""
        found = 0
        if not is_first:
            self.state[_SLOT] = self._plain  # slot 0 or 1
            found = self._code(self.points + 1, 0)
            self._plain = found & 1
        return self._finish(found, is_first)

    def _finish(self, found, is_first):
        """Read on where the kernel gave found; return what get() does."""
        state = self.state
        step_ms = None
        if not found & 1:
            self._odd_ms = 0 if is_first else None
            found = self._odd_row(0, None, None, is_first)
            step_ms = self._odd_ms
        elif self._is_wide:
            self._put_tails(None)
        if state[_BAD]:
            raise BadBlock("a value beyond what can be written")
        if step_ms is None:
            step_ms = self._last(0) * self.unit_ms
        if found != 1:
            self._tidy(found)
        if self._is_wide:
            forms = self._forms
            values = [
                self._last(i + 1) if forms[i + 1] & 128 else None for i in range(self.points)
            ]
        else:
            values = [add + state[word] if word else None for word, add in self._places]
        return step_ms, values, self._usual

    def _tidy(self, found):
        """Do what the kernel asked for; see anew where the values are."""
        self.state[_FAR] = 0
        if found & _FAR_OFF:
            self._rebase()
        self._places = []
        self.row[0] = 0
        for channel in range(1, self.points + 1):
            has = self._forms[channel] & 128
            self.row[channel] = 0 if has else _ABSENT
            word = _WORDS + channel * _CHANNEL if has else 0
            self._places.append((word, self._bases[channel] - _BIAS))
        self._usual = bytes(self.quality)


class Decoded:
    """What one block holds, whose check sum is right.

    version, config_hash (4 bytes), meter, clock, boot (0 where the clock was set), points
    rows  list of (at_ms, values, quality): int; list of int or None; bytes
    """

    reader = Reader  # a host may put a faster one in

    def __init__(self, data):
        self.version = VERSION_1 if data[0] == VERSION_1 else data[0] >> 4
        self.config_hash = bytes(data[1:5])
        self.meter = data[5]
        self.boot = 0
        self.rows: list = []
        end = len(data) - _CRC
        if self.version == VERSION_1:
            from agent.codec_old import read_old

            read_old(self, data, end)
            return
        flags = data[0]
        self.clock = flags & 3
        self.points = data[6]
        sizes = [4 if self.clock == 0 else 0, 6 if flags & MILLIS else 4, 1]
        if flags & LONG:
            sizes[1:] = [8 if self.version < VERSION_4 else sizes[1], 2]
        at = _HEAD
        fields = []
        for i, size in enumerate(sizes):
            field = bytes(data[at : at + size])
            at += size
            if i == 1 and self.version >= VERSION_4 and field == b"\xff" * size:
                field = bytes(data[at : at + 8])
                at += 8
            fields.append(int.from_bytes(field, "big"))
        if at > end:
            raise BadBlock("%d bytes, the head has %d" % (end, at))
        unit_ms = 1 if flags & MILLIS else 1000
        self.boot, base, count = fields
        if count == 0 or count * (self.points + 1) > CELLS_MAX:
            raise BadBlock("%d rows of %d points" % (count, self.points))
        if self.version == VERSION_2:
            from agent.codec_two import read_two

            self.rows = read_two(data, at, end, base * unit_ms, count, self.points, unit_ms)
            return
        if self.version == VERSION_5:
            from agent.codec_unpack import read_packed

            start_ms = base * unit_ms
            self.rows = read_packed(data, at, end, start_ms, count, self.points, unit_ms)
            return
        self._read(bytes(data), at, end, base * unit_ms, count, unit_ms)

    def _read(self, data, at, end, at_ms, count, unit_ms):
        points = self.points
        rows = self.reader(points)
        rows.unit_ms = unit_ms
        rows.version = self.version
        rows.begin(data, at, end)
        self.rows = rows.read(count, at_ms)
        if rows.state[_AT] < end:
            raise BadBlock("%d bytes after the last row" % (end - rows.state[_AT]))
