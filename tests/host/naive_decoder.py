"""A decoder of blocks written from agent/FORMAT.md alone: versions 3 to 5, slow and plain.

It proves the page: nothing of agent/codec*.py is imported, and the numbers that a block begins
with are read from the page itself. test_codec_naive.py compares what both decode.
"""

import re
from binascii import crc32
from pathlib import Path

_PAGE = Path(__file__).resolve().parent.parent.parent / "agent" / "FORMAT.md"
_LIMIT = 2**22 - 1
_RATES = (
    (757, 512, 407, 348, 311, 266, 231, 182),
    (403, 266, 208, 175, 155, 130, 110, 84),
)


class Bad(Exception):
    """The block cannot be decoded."""


def _clip(value, most):
    return max(-most, min(most, value))


def _odds_of_the_page():
    """Return the odds of the block's slots, of channel 0's and of the others'."""
    page = _PAGE.read_text().split("# Version 4\n")[1].split("# Version 3\n")[0]
    found = re.findall(r"(?:^    [0-9a-f]+\n)+", page, re.MULTILINE)
    shared, time, value = (bytes.fromhex(text.replace("\n", "")) for text in found)
    return [
        [(byte - 128) * 64 for byte in text] for text in (shared.ljust(144, b"\x80"), time, value)
    ]


def _table(version):
    table = [0] * 512
    u = 1116826416478
    for i in range(256, 512):
        table[i] = (u << 14) // (u + 2**40)
        table[511 - i] = 16384 - table[i]
        u = u * 1134413873426 >> 40
    return table if version > 3 else [max(32, min(16352, p)) for p in table]


class _Coder:
    def __init__(self, data, version):
        self.data = data
        self.at = 3
        self.span = 0xFFFFFF
        self.code = min(int.from_bytes(data[:3].ljust(3, b"\0"), "big"), self.span - 1)
        self.table = _table(version)
        self.turn = (16383, 1) if version > 3 else (8192, 8192)

    def _grow(self):
        while self.span < 65536:
            byte = self.data[self.at] if self.at < len(self.data) else 0
            self.code = self.code << 8 | byte
            self.span <<= 8
            self.at += 1

    def decide(self, *slots):
        """Return the answer; each slot is [odds, age]."""
        i = max(0, min(511, (sum(odds for odds, _ in slots) >> 5) + 256))
        p = self.table[i]
        part = (self.span >> 8) * p >> 6
        answer = int(self.code < part)
        if answer:
            self.span = part
            e, r = 16384 - p, self.turn[0]
        else:
            self.code -= part
            self.span -= part
            e, r = -p, self.turn[1]
        for slot, rates in zip(slots, _RATES, strict=False):
            slot[0] = max(-4096, min(4095, slot[0] + (e * rates[slot[1]] + r >> 14)))
            slot[1] = min(7, slot[1] + 1)
        self._grow()
        return answer

    def plain(self, count):
        """Return count plain bits, in pieces of 8 and the rest."""
        found = 0
        while count:
            c = min(8, count)
            count -= c
            self.span >>= c
            v = min(self.code // self.span, 2**c - 1)
            self.code = min(self.code - self.span * v, self.span - 1)
            found = found << c | v
            self._grow()
        return found

    def even(self, count):
        """Return count plain bits, in pieces of 24 and the rest."""
        found = 0
        while count:
            piece = min(24, count)
            count -= piece
            found = found << piece | self.plain(piece)
        return found


class _Channel:
    def __init__(self, odds):
        self.slots = [[each, 0] for each in odds]
        self.base = self.x1 = self.x2 = self.c2 = self.c3 = 0
        self.level = self.trend = self.slow = self.step = 0
        self.mean = 40
        self.same = self.found = self.zero = self.kind = self.sign = self.rows = 0
        self.sum_y = self.sum_x = 0
        self.miss = [0] * 5
        self.grid = 1
        self.terms = []
        self.w = 0
        self.is_known = False
        self.form = 128
        self.bits = 0  # as they are
        self.floor = 0
        self.tail = 0

    def settle(self, value):
        self.base = 0 if abs(value) < 2**21 else value
        self.x1 = self.x2 = self.c2 = self.c3 = value - self.base
        self.level = self.slow = 64 * self.x1
        self.trend = self.step = 0
        self.bits = 0

    def move(self):
        shift = self.x1
        if abs(shift) < 2**21:
            return
        self.base += shift
        self.x1, self.x2, self.c2, self.c3 = (
            _clip(x - shift, _LIMIT) for x in (self.x1, self.x2, self.c2, self.c3)
        )
        self.level = _clip(self.level - 64 * shift, 2**28 - 1)
        self.slow = _clip(self.slow - 64 * shift, 2**28 - 1)
        self.floor -= shift

    def learn(self, x, g, k, hope, guesses, seen):
        """Take note of a value: step 5."""
        for i, guess in enumerate(guesses):
            self.miss[i] += 16 * min(abs(x - guess), 2**18) - (self.miss[i] >> 5)
        self.sign = 1 if x > g else 2 if x < g else 0
        d = abs(x - g) // self.grid
        self.zero = (2 * self.zero + (d == 0)) & 3
        self.kind = 0 if d == 0 else 1 if d <= 2**k else 2 if d <= 3 * 2**k else 3
        self.mean += 16 * d - self.mean >> (4 if self.rows > 12 else 2)
        self.found = (2 * self.found + (x in (self.c2, self.c3))) & 3
        if x != self.c2:
            self.c3 = self.c2
        step = x - self.x1
        self.c2 = self.x2 = self.x1
        self.x1 = x
        e = 64 * x - hope
        self.level = hope + (e >> 1)
        self.trend += e + 8 >> 4
        self.slow += 64 * x - self.slow >> (4 if self.rows > 8 else 2)
        self.step = step
        if seen:
            y = _clip(step, _LIMIT)
            y = -y if seen < 0 else y
            self.sum_y += y - (self.sum_y >> 5)
            self.sum_x += abs(seen) - (self.sum_x >> 5)
        self.rows = min(255, self.rows + 1)

    def value(self):
        return (self.base + self.x1 << self.w) + self.tail


def _ratio(seen, sum_y, sum_x):
    if not (seen and sum_y and sum_x):
        return 0
    p, a, e, j = abs(sum_y), sum_x, abs(seen), 0
    while p < 2**23:
        p <<= 4
        j += 4
    while a >= 2**13:
        a >>= 1
        j += 1
    while a < 2**12:
        a <<= 1
        j -= 1
    while e >= 2**13:
        e >>= 1
        j -= 1
    e = p // a * e
    if j > 29:
        e = 0
    elif j > 0:
        e = (e >> j - 1) + 1 >> 1
    elif j < -5 or e > 0x7FFFFF:
        e = _LIMIT
    else:
        e <<= -j
    return -e if (seen < 0) != (sum_y < 0) else e


class _Block:
    def __init__(self, data, version, points, unit_ms, count=0):
        shared, time, value = _odds_of_the_page()
        self.version = version
        self.unit_ms = unit_ms
        self.coder = _Coder(data, version)
        self.length = len(data)
        self.shared = [[each, 0] for each in shared]
        self.channels = [_Channel(time), *(_Channel(value) for _ in range(points))]
        self.channels[0].is_known = True
        self.was_plain = 1
        for c in range(1, points + 1):
            self._habits(c)

    def ask(self, slot):
        return self.coder.decide(self.shared[slot])

    def _habits(self, c):
        channel = self.channels[c]
        goes_on = self.ask(9)
        while goes_on:
            other = self.coder.even(c.bit_length())
            if other >= c:
                raise Bad("follows itself or a later one")
            counts_value = self.coder.even(1)
            is_less = self.coder.even(1) if channel.terms else 0
            channel.terms.append((other, counts_value, is_less))
            goes_on = len(channel.terms) < 3 and self.ask(12)
        if self.ask(8):
            s = self.coder.even(5)
            if s > 20:
                raise Bad("a grid too wide")
            channel.grid = 2**s + self.coder.even(s)

    def is_left(self):
        """Return whether there is more than the rows."""
        return self.coder.at < self.length

    def number(self):
        node = 1
        for _ in range(7):
            node = node * 2 + self.ask(15 + node)
        length = node - 128
        if length == 0:
            return 0
        if length > 66:
            raise Bad("a number too long")
        is_negative = self.ask(7)
        value = 1 << length - 1 | self.coder.even(length - 1)
        return -value if is_negative else value

    def row(self, is_first):
        """Return the step in ms, the values and the qualities."""
        step_ms = 0 if is_first else None
        coming = []
        is_plain = 0
        if not is_first:
            second = [self.shared[13 + self.was_plain]] if self.version > 3 else []
            is_plain = self.coder.decide(self.shared[self.was_plain], *second)
            self.was_plain = is_plain
        if is_plain:
            coming = [c for c, each in enumerate(self.channels) if c == 0 or each.form & 128]
        else:
            jumped = 0
            if not is_first:
                jumped = self.ask(5)
                if jumped:
                    step_ms = self.number()
                    self.channels[0].settle(step_ms // self.unit_ms)
                else:
                    coming.append(0)
            other = 0
            named = 128
            for c in range(1, len(self.channels)):
                channel = self.channels[c]
                other = self.ask(2 + other)
                if other:
                    if not self.ask(4):
                        named = self.coder.even(8)
                    channel.form = named
                if channel.form & 128:
                    jumped = self._place(channel, jumped)
                    if not jumped or channel.bits:
                        coming.append(c)
        near = side = 0
        for c in coming:
            near, side = self._value(c, near, side)
        for c in coming:
            channel = self.channels[c]
            if channel.w:
                channel.tail = self.coder.even(channel.w)
        if step_ms is None:
            step_ms = (self.channels[0].base + self.channels[0].x1) * self.unit_ms
        points = self.channels[1:]
        values = [each.value() if each.form & 128 else None for each in points]
        for channel in self.channels:
            channel.move()
        return step_ms, values, bytes(each.form & 127 for each in points)

    def _place(self, channel, jumped):
        last = 0
        is_whole = 1
        if channel.is_known:
            last = channel.value()
            if not self.ask(5 + jumped):
                return 0
            if self.version < 4:
                is_whole = self.ask(10)
        w = 0
        if self.ask(11):
            if channel.is_known and self.version > 3 and self.ask(143):
                bits = self.coder.even(5)
                if not 1 <= bits <= 23:
                    raise Bad("as they are, of no or too many bits")
                channel.bits = bits
                channel.floor = channel.x1 - self.coder.even(bits)
                channel.mean = 2 ** (bits + 2)
                return 1
            w = self.coder.even(6)
        if channel.is_known and self.version > 3:
            is_whole = self.ask(10)
        value = self.number() + (0 if is_whole else last)
        if not -(2**63) <= value < 2**64:
            raise Bad("a value too large")
        channel.is_known = True
        channel.w = w
        channel.tail = value & (1 << w) - 1
        channel.settle(value >> w)
        return 1

    def _bounded(self, x):
        if not -(2**22) <= x < 2**22:
            raise Bad("a value beyond its place")
        return x

    def _value(self, c, near, side):
        """Read one value; return near and side for the next channel."""
        ch = self.channels[c]
        slots = ch.slots
        if ch.bits:
            x = self._bounded(ch.floor + self.coder.plain(ch.bits))
            ch.mean += 16 * abs(x - ch.x1) - ch.mean + 8 >> 4
            ch.step = x - ch.x1
            ch.x1 = x
            return 0, 0

        def ask(*which):
            return self.coder.decide(*(slots[each] for each in which))

        # 1. guesses
        hope = _clip(ch.level + ch.trend, 2**28 - 1)
        guesses = [ch.x1, 2 * ch.x1 - ch.x2, hope + 32 >> 6, ch.slow + 32 >> 6]
        seen = 0
        if ch.terms:
            for other, counts_value, is_less in ch.terms:
                it = self.channels[other]
                part = it.x1 if counts_value else it.step
                seen += -part if is_less else part
            seen = _clip(seen, _LIMIT)
            guesses.append(ch.x1 + _ratio(seen, ch.sum_y, ch.sum_x))
        misses = ch.miss[: len(guesses)]
        last = misses.index(min(misses))
        g = _clip(guesses[last], _LIMIT)
        if ch.grid > 1:
            g = ch.x1 + (g - ch.x1 + (ch.grid >> 1)) // ch.grid * ch.grid
            if g > _LIMIT:
                g -= ch.grid
            elif g < -_LIMIT:
                g += ch.grid
        far = abs(g - ch.x1)
        hint = far if far < 2 else 2 if far < 4 else 3
        # 2. contexts
        k = (ch.mean >> 4).bit_length()
        # 3. the same, one of the last, the guess
        second = 16 + 2 * hint if ch.terms else 8 + 2 * near
        if ask(ch.same, second + (ch.same & 1)):
            ch.same = (2 * ch.same + 1) & 7
            ch.step = 0
            return 0, 0
        ch.same = 2 * ch.same & 7
        x = None
        if ch.grid > 1 and not ask(183):
            ch.grid = 1
        others = [ch.x1]
        if ch.c2 != ch.x1:
            others += [ch.c2, ch.c3]
            if ask(24 + ch.found, 32 + hint if ch.terms else 28 + near):
                x = ch.c2
                if ch.c3 not in (ch.c2, ch.x1) and not ask(36 + (ch.found & 1)):
                    x = ch.c3
        if x is None and g not in others:
            b = 58 + 2 * hint + (last == 4) if ch.terms else 54 + near
            if ask(38 + 4 * ch.zero + min(k, 3), b):
                x = g
        if x is None:
            x = self._beside(ch, g, k, near, side)
        ch.learn(x, g, k, hope, guesses, seen)
        return max(1, ch.kind), 0 if c == 0 else ch.sign

    def _beside(self, ch, g, k, near, side):
        """Return the value by its distance from the guess: step 4."""

        def ask(*which):
            return self.coder.decide(*(ch.slots[each] for each in which))

        def size(q):
            return ask(78 + 16 * ch.kind + (8 if k < 3 else 0) + q, 142 + 8 * near + q)

        if size(0):
            r, q = k + 1, 1
            while r <= 22 and size(q):
                r += 1
                q = min(3, q + 1)
        else:
            r, q = k, 4
            while r > 0 and size(q):
                r -= 1
                q = min(7, q + 1)
        s = r
        below = ask(66 + ch.sign, 69 + 3 * side + (0 if g == ch.x1 else 1 if g < ch.x1 else 2))
        m = 1 << s - 1 if s else 0
        if s > 1:
            upper = 174 + (0 if s < 4 else 1 if s < 7 else 2)
            upper += 3 if s == k else 6 if s > k else 0
            m += ask(upper) << s - 2
            m += self.coder.plain(s - 2)
        d = (m + 1) * ch.grid
        return self._bounded(g - d if below else g + d)


class _Packed:
    """Version 5."""

    def __init__(self, data, version, points, unit_ms, count):
        self.unit_ms = unit_ms
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.steps = self.column() if count > 1 else None
        self.points = []
        for _ in range(points):
            f, v = (self.bits(8), self.bits(4)) if self.bits(1) else (1, 0)
            column = self.column() if v or f % 2 else None
            self.points.append((f, v, column))
        self.fill()

    def bits(self, count):
        if count > len(self.text):
            raise Bad("packed rows end early")
        taken, self.text = self.text[:count], self.text[count:]
        return int(taken, 2) if taken else 0

    def fill(self):
        self.bits(len(self.text) % 8)

    def column(self):
        w, b = self.bits(7), self.bits(4)
        if w > 65 or b > 9:
            raise Bad("a column too wide")
        return w, int.from_bytes(self.bits(8 * b).to_bytes(b, "big"), "big", signed=True)

    def number(self, column):
        w, least = column
        return least + self.bits(w)

    def row(self, is_first):
        step = 0 if is_first else self.number(self.steps)
        values, quality = [], []
        for f, v, column in self.points:
            form = f + self.bits(v)
            if form > 255:
                raise Bad("a quality too large")
            value = self.number(column) if form % 2 else None
            if value is not None and not -(2**63) <= value < 2**64:
                raise Bad("a value too large")
            values.append(value)
            quality.append(form // 2)
        return step * self.unit_ms, values, bytes(quality)

    def is_left(self):
        """Return whether there is more than the rows."""
        self.fill()
        return len(self.text) > 0


def decode(data):
    """Return the rows of a block: (at_ms, values, quality). Raises Bad."""
    if len(data) < 11 or crc32(data[:-4]) != int.from_bytes(data[-4:], "big"):
        raise Bad("the check sum")
    version, flags = data[0] >> 4, data[0] & 15
    if version not in (3, 4, 5):
        raise Bad("the version")
    points = data[6]
    at = 7
    end = len(data) - 4

    def field(size):
        nonlocal at
        at += size
        if at > end:
            raise Bad("the head")
        return int.from_bytes(data[at - size : at], "big")

    if flags & 3 == 0:
        field(4)
    size = 6 if flags & 4 else 4
    if version == 3 and flags & 8:
        size = 8
    base = field(size)
    if version > 3 and base == 256**size - 1:
        base = field(8)
    count = field(2 if flags & 8 else 1)
    if not 0 < count * (points + 1) <= 262144:
        raise Bad("the count")
    unit_ms = 1 if flags & 4 else 1000
    at_ms = base * unit_ms
    block = (_Packed if version == 5 else _Block)(data[at:end], version, points, unit_ms, count)
    rows = []
    for i in range(count):
        step_ms, values, quality = block.row(i == 0)
        at_ms += step_ms
        if not 0 <= at_ms < 2**63:
            raise Bad("a time")
        rows.append((at_ms, values, quality))
    if block.is_left():
        raise Bad("bytes behind the rows")
    return rows
