"""Blocks of format version 2 -> rows: what gateways sealed before version 3 (agent/FORMAT.md).

Only read, never written, and by no gateway: simple, not fast. codec_read.py has the way in.
"""

from agent.codec_kernel import bit_length
from agent.codec_odds import table
from agent.codec_rows import BadBlock

_LIMIT = (1 << 22) - 1
_HALFWAY = (1 << 21) - 1
_LEVEL_MAX = (1 << 28) - 1
_VALUE_BITS = 66
_VALUE_MIN = -(1 << 63)
_VALUE_MAX = (1 << 64) - 1

# Log odds to begin with, in 16ths, 128 added: the block's, those of time steps, of a point.
_SHARED = bytes.fromhex("88bf509888408868807880808080808050") + b"\x80" * 127
_TIME = bytes.fromhex(
    "819f7fa29b9771ba788680808080808072767d9a929c72685e527d736a607a70665c857b72687e808080"
    "6f7f8a788080838d8c8c8b8c8c947d8787838586838f82827f7f8181818d818885818482868d878d8d8d"
    "8d8d8d9080808080808080808080808080808080808080808080808080807b81728e6a7e"
)
_VALUE = bytes.fromhex(
    "648276887a807698798479837a817e785379779388917770664977716d60756f695d7b7a736b7e857c7e"
    "7b827f80798677818989898a89946f747c828384858e7b797b828486868e888a8787888688907e828688"
    "8a8a8a8d7a7d82858686868b827f83858386868a8989898a89898a9080807477757b7479"
)


def _clip(value, most):
    return max(-most, min(most, value))


class _Coder:
    """The range decoder, and the slots of the block and of each channel."""

    def __init__(self, data, at, end, points):
        self.data = data
        self.at = at
        self.end = end
        self.span = 0xFFFFFF
        self.value = 0
        self.table = table(32)
        for _ in range(3):
            self._shift()
        self.slots = [[(odds - 128) * 64, 0] for odds in _SHARED + _TIME + _VALUE * points]

    def _shift(self):
        byte = self.data[self.at] if self.at < self.end else 0
        self.value = (self.value << 8) | byte
        self.at += 1

    def _fill(self):
        while self.span < 0x10000:
            self.span <<= 8
            self._shift()

    def bit(self, *places):
        slots = [self.slots[place] for place in places]
        chance = self.table[max(0, min(511, (sum(slot[0] for slot in slots) >> 5) + 256))]
        part = ((self.span >> 8) * chance) >> 6
        answer = 1 if self.value < part else 0
        error = 16384 - chance if answer else -chance
        if answer:
            self.span = part
        else:
            self.span -= part
            self.value -= part
        for i, slot in enumerate(slots):
            rate = self.table[512 + 8 * i + slot[1]]
            slot[0] = max(-4096, min(4095, slot[0] + ((error * rate + 8192) >> 14)))
            slot[1] = min(7, slot[1] + 1)
        self._fill()
        return answer

    def plain(self, count):
        found = 0
        while count:
            part = min(count, 8)
            count -= part
            self.span >>= part
            bits = min(self.value // self.span, (1 << part) - 1)
            self.value -= self.span * bits
            found = (found << part) | bits
            self._fill()
        return found

    def even(self, count):
        found = 0
        for _ in range(count):
            self.slots[8] = [0, 0]
            found = (found << 1) | self.bit(8)
        return found

    def number(self):
        node = 1
        for _ in range(7):
            node = (node << 1) | self.bit(15 + node)
        size = node & 127
        if size == 0:
            return 0
        if size > _VALUE_BITS:
            raise BadBlock("a number of %d bits" % size)
        is_minus = self.bit(7)
        value = (1 << (size - 1)) | self.even(size - 1)
        return -value if is_minus else value


class _Channel:
    """What one channel remembers."""

    def __init__(self, coder, index):
        self.coder = coder
        self.index = index
        self.first = 144 + 120 * index
        self.follows = 0
        self.mean = 40
        self.same = self.found = self.zero = self.size = self.sign = self.rows = 0
        self.sum_y = self.sum_x = 0
        self.miss = [0] * 5
        self.form = 128
        self.is_known = index == 0
        self.settle(0)

    def settle(self, value):
        self.base = 0 if -_HALFWAY <= value <= _HALFWAY else value
        self.x1 = self.x2 = self.c2 = self.c3 = value - self.base
        self.level = self.slow = self.x1 << 6
        self.trend = self.step = 0

    def rebase(self):
        shift = self.x1
        if -_HALFWAY <= shift <= _HALFWAY:
            return
        self.base += shift
        self.x1 = 0
        self.x2 = _clip(self.x2 - shift, _LIMIT)
        self.c2 = _clip(self.c2 - shift, _LIMIT)
        self.c3 = _clip(self.c3 - shift, _LIMIT)
        self.level = _clip(self.level - (shift << 6), _LEVEL_MAX)
        self.slow = _clip(self.slow - (shift << 6), _LEVEL_MAX)

    def _ratio(self, seen):
        """Return seen * sum_y / sum_x to about 12 bits, as the kernel of version 2 did."""
        p, a = self.sum_y, self.sum_x
        if not (seen and p and a):
            return 0
        is_minus = (p < 0) != (seen < 0)
        p, e, shift = abs(p), abs(seen), 0
        while p < 0x800000:
            p, shift = p << 4, shift + 4
        while a >= 0x2000:
            a, shift = a >> 1, shift + 1
        while a < 0x1000:
            a, shift = a << 1, shift - 1
        while e >= 0x2000:
            e, shift = e >> 1, shift - 1
        e *= p // a
        if shift > 29:
            e = 0
        elif shift > 0:
            e = ((e >> (shift - 1)) + 1) >> 1
        elif shift < -5 or e > 0x7FFFFF:
            e = _LIMIT
        else:
            e <<= -shift
        return -e if is_minus else e

    def read(self, channels, near, side):
        """Read one value; return what the next channel is told: near, and the side."""
        bit = self.coder.bit
        first = self.first
        hope = _clip(self.level + self.trend, _LEVEL_MAX)
        guesses = [self.x1, 2 * self.x1 - self.x2, (hope + 32) >> 6, (self.slow + 32) >> 6]
        seen = 0
        if self.follows:
            other = channels[self.follows >> 1]
            seen = other.x1 if self.follows & 1 else other.step
            guesses.append(self.x1 + self._ratio(seen))
        best = min(range(len(guesses)), key=lambda i: self.miss[i])
        guess = _clip(guesses[best], _LIMIT)
        k = bit_length(self.mean >> 4)
        x = None
        if bit(first + self.same, first + 8 + near * 2 + (self.same & 1)):
            x = self.x1
        else:
            known = [self.x1]
            if self.c2 != self.x1:
                if bit(first + 16 + self.found):
                    x = self.c2
                    if self.c3 not in (self.c2, self.x1) and not bit(
                        first + 20 + (self.found & 1)
                    ):
                        x = self.c3
                known += [self.c2, self.c3]
            if x is None and guess not in known:
                if bit(first + 22 + self.zero * 4 + min(k, 3), first + 38 + near):
                    x = guess
        if x is None:
            x = self._far(guess, k, near, side)
        return self._learn(x, guess, guesses, hope, seen, k)

    def _far(self, guess, k, near, side):
        bit = self.coder.bit
        first = self.first
        count = 0
        while count < 37:
            node = min(count, 7)
            if not bit(first + 48 + self.size * 8 + node, first + 80 + near * 8 + node):
                break
            count += 1
        left = max(0, k - 1)
        more = max(0, count - 12)
        if left + more > 24:
            raise BadBlock("a value beyond what can be written")
        is_below = bit(first + 42 + self.sign, first + 45 + side)
        upper = bit(first + 112 + min(k, 3) * 2 + (1 if count else 0)) if k else 0
        plain = self.coder.plain(left + more)
        if count > 11:
            count = 11 + (1 << more) + (plain >> left)
        far = (count << k) + (upper << left) + (plain & ((1 << left) - 1)) + 1
        x = guess - far if is_below else guess + far
        if not -_LIMIT - 1 <= x <= _LIMIT:
            raise BadBlock("a value beyond what can be written")
        return x

    def _learn(self, x, guess, guesses, hope, seen, k):
        for i, each in enumerate(guesses):
            self.miss[i] += (min(abs(x - each), 1 << 18) << 4) - (self.miss[i] >> 4)
        e = x - guess
        side = self.sign = 1 if e > 0 else 2 if e < 0 else 0
        e = abs(e)
        self.zero = (self.zero << 1) & 3 | (e == 0)
        self.size = 0 if e == 0 else 1 if e <= 1 << k else 2 if e <= 3 << k else 3
        near = max(self.size, 1)
        self.mean += ((min(e, 1 << 24) << 4) - self.mean) >> (3 if self.rows > 6 else 2)
        self.same = (self.same << 1) & 7 | (x == self.x1)
        if x == self.x1:
            near = 0
        else:
            self.found = (self.found << 1) & 3 | (x in (self.c2, self.c3))
            if x != self.c2:
                self.c3 = self.c2
            self.c2 = self.x1
        self.step = x - self.x1
        self.x2, self.x1 = self.x1, x
        e = (x << 6) - hope
        self.level = hope + (e >> 2)
        self.trend += (e + 16) >> 5
        self.slow += ((x << 6) - self.slow) >> (4 if self.rows > 8 else 2)
        if self.follows and seen:
            y = _clip(self.step, _LIMIT)
            self.sum_y += (y if seen > 0 else -y) - (self.sum_y >> 4)
            self.sum_x += abs(seen) - (self.sum_x >> 4)
        self.rows = min(255, self.rows + 1)
        return near, side if self.index else 0


def read_two(data, at, end, at_ms, count, points, unit_ms):
    """Return the rows of data[at:end]; raises BadBlock."""
    coder = _Coder(data, at, end, points)
    channels = [_Channel(coder, i) for i in range(points + 1)]
    for channel in channels[2:]:
        if coder.bit(9):
            channel.follows = coder.even(bit_length(channel.index) + 1)
            if not 2 <= channel.follows < 2 * channel.index:
                raise BadBlock("channel %d follows %d" % (channel.index, channel.follows))
    rows = []
    plain = 1
    for i in range(count):
        step_ms = 0 if i == 0 else None
        inner = channels
        if i:
            plain = coder.bit(plain)
        if i == 0 or not plain:
            step_ms, inner = _odd_row(coder, channels, i == 0, unit_ms)
        near = side = 0
        for channel in inner:
            if channel.form & 128:
                near, side = channel.read(channels, near, side)
        if step_ms is None:
            step_ms = (channels[0].base + channels[0].x1) * unit_ms
        at_ms += step_ms
        if not 0 <= at_ms < 1 << 63:
            raise BadBlock("row %d is of %d ms" % (i, at_ms))
        values = [c.base + c.x1 if c.form & 128 else None for c in channels[1:]]
        rows.append((at_ms, values, bytes(c.form & 127 for c in channels[1:])))
        for channel in channels:
            channel.rebase()
    if coder.at < end:
        raise BadBlock("%d bytes after the last row" % (end - coder.at))
    return rows


def _odd_row(coder, channels, is_first, unit_ms):
    """Read what is said of a row that is not plain; return its step and who has a value yet."""
    left = []
    jumped = 0
    step_ms = 0 if is_first else None
    if not is_first:
        jumped = coder.bit(5)
        if jumped:
            step_ms = coder.number()
            channels[0].settle(step_ms // unit_ms)
        else:
            left.append(channels[0])
    other = 0
    named = 128
    for channel in channels[1:]:
        other = coder.bit(2 + other)
        if other:
            if not coder.bit(4):
                named = coder.even(8)
            channel.form = named
        if not channel.form & 128:
            continue
        last = channel.base + channel.x1 if channel.is_known else 0
        if channel.is_known:
            jumped = coder.bit(5 + jumped)
            if not jumped:
                left.append(channel)
                continue
            if coder.bit(10):
                last = 0
        jumped = 1
        value = last + coder.number()
        if not _VALUE_MIN <= value <= _VALUE_MAX:
            raise BadBlock("a value beyond 64 bits")
        channel.is_known = True
        channel.settle(value)
    return step_ms, left
