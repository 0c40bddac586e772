"""The rows of a block as packed bits, format version 5, where the model made them no smaller.

Not the model (codec_rows.py), nor reading these bits (codec_unpack.py). A writer's block is read
again, in the writer's own arrays, twice: for the least and the most of each column, and to write.
Loaded when a block came out dear, and dropped again.

    rows = pack(writer, data, at, end, count)       # None: they take no less
"""

from micropython import const

from agent.codec_kernel import bit_length
from agent.codec_read import Reader

_SCORES = (26, 27)
_EVENTS = const(14)
_WORDS = const(22)
_CHANNEL = const(33)


class Column:
    """What is told of one column: its least number, and the bits of each above that."""

    def __init__(self):
        self.least = 0
        self.most = 0
        self.is_empty = True
        self.width = 0  # once end() was called

    def take(self, number):
        """See one number."""
        if self.is_empty or number < self.least:
            self.least = number
        if self.is_empty or number > self.most:
            self.most = number
        self.is_empty = False

    def end(self):
        """Know the width."""
        self.width = bit_length(self.most - self.least)


class _Bits:
    def __init__(self, size):
        self.data = bytearray(size)
        self._at = 0
        self._rest = 0
        self._held = 0

    def put(self, number, size):
        """Write size bits, high bits first."""
        rest = (self._rest << size) | number
        held = self._held + size
        while held >= 8:
            held -= 8
            self.data[self._at] = rest >> held
            rest &= (1 << held) - 1
            self._at += 1
        self._rest = rest
        self._held = held

    def fill(self):
        """Go on at the next byte."""
        if self._held:
            self.put(0, 8 - self._held)


def bytes_of(number):
    """Return how many bytes hold a number with its sign; none for 0."""
    return (bit_length(-number - 1 if number < 0 else number) + 8) // 8 if number else 0


def pack(writer, data, at, end, count):
    """Return count rows, which data[at:end] holds as writer wrote them, packed; None: no shorter.

    The writer then knows no row; what it noticed for the next block it still knows. Its unit_ms
    is 1 where the packed rows have that unit.
    """
    state = writer.state
    places = [_EVENTS]
    for channel in range(writer.points + 1):
        places += [_WORDS + channel * _CHANNEL + i for i in _SCORES]
    kept = [state[place] for place in places]
    unit_ms, columns, size = _survey(_again(writer, data, at, end), count)
    packed = None
    longer = 2 if unit_ms != writer.unit_ms else 0  # in the head
    if size + longer < end - at:
        packed = _write(_again(writer, data, at, end), count, unit_ms, columns, size)
        writer.unit_ms = unit_ms
    for i in range(len(places)):
        state[places[i]] = kept[i]
    return packed


def _again(writer, data, at, end):
    rows = Reader(writer.points, writer)
    rows.unit_ms = writer.unit_ms
    rows.begin(data, at, end)
    return rows


def _survey(rows, count):
    """Return the unit of time steps, (steps, forms, values) with a column for each, the size."""
    points = rows.points
    unit_ms = rows.unit_ms
    steps = Column()
    forms = [Column() for _ in range(points)]
    values = [Column() for _ in range(points)]
    told = 0  # bits of all values
    given = [0] * points  # rows with a value
    for i in range(count):
        step_ms, row, quality = rows.get(i == 0)
        if i:
            steps.take(step_ms)
            if step_ms % unit_ms:
                unit_ms = 1
        for point in range(points):
            has = row[point] is not None
            forms[point].take(quality[point] << 1 | has)
            if has:
                values[point].take(row[point])
                given[point] += 1
    steps.least //= unit_ms
    steps.most //= unit_ms
    steps.end()
    bits = 0
    if count > 1:
        bits = 11 + 8 * bytes_of(steps.least)
        told = (count - 1) * steps.width
    for point in range(points):
        form = forms[point]
        value = values[point]
        form.end()
        value.end()
        bits += 1
        if form.least != 1 or form.width:
            bits += 12
            told += count * form.width
        if form.width or form.least & 1:
            bits += 11 + 8 * bytes_of(value.least)
            told += given[point] * value.width
    return unit_ms, (steps, forms, values), (bits + 7) // 8 + (told + 7) // 8


def _write(rows, count, unit_ms, columns, size):
    steps, forms, values = columns
    out = _Bits(size)
    if count > 1:
        _put_column(out, steps)
    for point in range(rows.points):
        form = forms[point]
        is_mixed = form.least != 1 or form.width
        out.put(1 if is_mixed else 0, 1)
        if is_mixed:
            out.put(form.least, 8)
            out.put(form.width, 4)
        if form.width or form.least & 1:
            _put_column(out, values[point])
    out.fill()
    for i in range(count):
        step_ms, row, quality = rows.get(i == 0)
        if i:
            out.put(step_ms // unit_ms - steps.least, steps.width)
        for point in range(rows.points):
            value = row[point]
            form = forms[point]
            has = value is not None
            if form.width:
                out.put((quality[point] << 1 | has) - form.least, form.width)
            if has:
                out.put(value - values[point].least, values[point].width)
    out.fill()
    return out.data


def _put_column(out, column):
    size = bytes_of(column.least)
    out.put(column.width, 7)
    out.put(size, 4)
    out.put(column.least & ((1 << 8 * size) - 1), 8 * size)
