"""Packed rows of a block, format version 5, back into rows; a gateway rarely needs it.

Not writing them (codec_packed.py), nor a block's head (codec_read.py).
"""

from agent.codec_kernel import BadBlock
from agent.codec_read import after

_VALUE_MIN = -(1 << 63)
_VALUE_MAX = (1 << 64) - 1
_WIDTH_MAX = 65
_SIZE_MAX = 9
_TURN = 8  # rows that are read at once: they take whole bytes


class _Bits:
    def __init__(self, data, at, end):
        self._data = data
        self._end = end
        self._at = at * 8  # the next bit

    def take(self, size):
        """Read size bits, high bits first."""
        at = self._at
        self._at = stop = at + size
        last = stop + 7 >> 3
        if last > self._end:
            raise BadBlock("packed rows end early")
        found = int.from_bytes(self._data[at >> 3 : last], "big") >> (-stop & 7)
        return found & ((1 << size) - 1)

    def back(self, size):
        """Go back so many bits."""
        self._at -= size

    def fill(self):
        """Go on at the next byte; return its index."""
        at = self._at + 7 >> 3
        self._at = at * 8
        return at


class _Point:
    """What is told of a point beforehand: its form, the least of its values, their width."""

    def __init__(self, bits):
        self.form = 1
        self.form_width = 0
        self.least = self.width = 0
        if bits.take(1):
            self.form = bits.take(8)
            self.form_width = bits.take(4)
        if self.form_width or self.form & 1:
            self.least, self.width = _column(bits)

    def read(self, bits):
        """Return the value in the next row, and the quality."""
        form = self.form
        if self.form_width:
            form += bits.take(self.form_width)
            if form > 255:
                raise BadBlock("a quality of %d" % (form >> 1))
        return self.least + bits.take(self.width) if form & 1 else None, form >> 1


def read_packed(data, at, end, at_ms, count, points, unit_ms):
    """Return count rows of data[at:end], the first of at_ms: (at_ms, values, quality) each."""
    bits = _Bits(data, at, end)
    least = width = 0
    if count > 1:
        least, width = _column(bits)
    columns = [_Point(bits) for _ in range(points)]
    bits.fill()
    rows: list = []
    for i in range(count):
        step = least + bits.take(width) if i else 0
        if i == 1 and not any(each.form_width for each in columns):
            break
        found = [each.read(bits) for each in columns]
        rows.append((step, [value for value, _ in found], bytes([mark for _, mark in found])))
    if len(rows) < count:
        bits.back(width)
        _read_even(bits, rows, count, [(least, width)] + [(c.least, c.width) for c in columns])
    if bits.fill() != end:
        raise BadBlock("bytes after the last row")
    for i in range(count):
        step, values, quality = rows[i]
        at_ms = after(at_ms, step * unit_ms)
        rows[i] = (at_ms, values, quality)
    for point in range(points):
        _check(columns[point], rows, point)
    return rows


def _read_even(bits, rows, count, columns):
    """Read the rows behind the first, which all have its form: eight at once."""
    _, first, quality = rows[0]
    absent = [i for i in range(len(first)) if first[i] is None]
    size = sum([width for _, width in columns])
    # Of each number among eight rows, from the last to the first: how far up, which bits, and
    # what is added.
    cells = []
    up = _TURN * size
    for _ in range(_TURN):
        for least, width in columns:
            up -= width
            cells.append((up, (1 << width) - 1, least))
    step = len(columns)
    while len(rows) < count:
        turn = min(_TURN, count - len(rows))
        found = bits.take(turn * size) << (_TURN - turn) * size
        numbers = [(found >> up & mask) + least for up, mask, least in cells]
        for i in range(0, turn * step, step):
            values = numbers[i + 1 : i + step]
            for point in absent:
                values[point] = None
            rows.append((numbers[i], values, quality))


def _column(bits):
    """Read what is told of a column: its least number, and how many bits each has above it."""
    width = bits.take(7)
    size = bits.take(4)
    if width > _WIDTH_MAX or size > _SIZE_MAX:
        raise BadBlock("packed numbers of %d bits from one of %d bytes" % (width, size))
    least = bits.take(8 * size)
    if size and least >> 8 * size - 1:
        least -= 1 << 8 * size
    return least, width


def _check(column, rows, point):
    """Raise BadBlock where a value of a point is beyond what a gateway writes."""
    if column.least >= _VALUE_MIN and column.least + (1 << column.width) - 1 <= _VALUE_MAX:
        return
    for _, values, _ in rows:
        if values[point] is not None and not _VALUE_MIN <= values[point] <= _VALUE_MAX:
            raise BadBlock("a value beyond 64 bits")
