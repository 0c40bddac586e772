"""Readings of one meter <-> one compressed block, format versions 4 and 5 (agent/FORMAT.md).

Not the record around it (record.py), not the model (codec_rows.py). Integers only; each block
decodes alone, given the schema that its config hash names.

    block = Block(points_count=3, size_bytes=1024)
    block.open(b"\\x1a\\x2b\\x3c\\x4d", meter=0, clock=1, boot=7)
    block.add(1766534400000, (2304, None, 17), bytes((0, 1, 0)))
    length = block.seal()               # block.data[0:length]
    decode(block.data[0:length]).rows   # [(1766534400000, [2304, None, 17], b"\\0\\1\\0")]
"""

import sys
from binascii import crc32

from micropython import const

from agent import forget
from agent.codec_rows import BadBlock
from agent.codec_write import ODD, ROW, Writer

VERSION_1 = const(1)  # the first byte
VERSION_2 = const(2)  # the others in its high half; the low half: the clock in two bits, and
VERSION_3 = const(3)
VERSION_4 = const(4)
VERSION_5 = const(5)  # as 4, but packed rows
MILLIS = const(0x04)  # time is counted in ms, not in s
LONG = const(0x08)  # 2 bytes of count; in versions 2 and 3 also 8 of time base
_HEAD = const(7)  # version, config hash, meter, points
_HEAD_MAX = const(27)
_COUNT_LONG = const(0x100)
_CRC = const(4)
_AT = const(2)
_LOW = const(0)
_SPAN = const(1)


class Block:
    """The open block of one meter; every byte it will use is allocated here.

    points_count  values of each reading, 0 .. 255
    size_bytes    the largest sealed block, 64 .. 4000; where a single reading may need more, more

    size_bytes                             what a sealed block has at most
    clock, count, first_at_ms, last_at_ms  of the open block
    data                                   after seal(): the block
    """

    def __init__(self, points_count, size_bytes):
        room = 20 * (points_count + 1)  # a reading of nothing but jumps, and what is known before
        self.size_bytes = max(size_bytes, _HEAD_MAX + room + _CRC)
        self.data = bytearray(self.size_bytes + 2 * room)
        self.clock = 0
        self.count = 0
        self.first_at_ms = 0
        self.last_at_ms = 0
        self.rows = Writer(points_count)
        self._points = points_count
        self._head = bytearray(_HEAD)
        self._boot = 0

    def open(self, config_hash, meter, clock, boot):
        """Begin an empty block.

        config_hash  4 bytes; meter 0 .. 255, its place in the schema
        clock        state of agent/clock.py; boot: u32, kept where clock is 0
        """
        head = self._head
        for i in range(4):
            head[1 + i] = config_hash[i]
        head[5] = meter
        head[6] = self._points
        self.clock = clock
        self.count = 0
        self.rows.step_ms = None
        self._boot = boot

    def add(self, at_ms, values, quality):
        """Append one reading; false when there is no room: nothing changed, seal and open anew.

        at_ms    milliseconds, 0 .. 2**63, in any order
        values   int or None for each point
        quality  a code, 0 .. 127, for each point (drivers/reading.py)
        """
        rows = self.rows
        found = ODD
        if at_ms - self.last_at_ms == rows.step_ms and quality == rows.quality:
            code, state, slots, table, work, row, data, count, lows = rows.fast
            try:
                found = code(state, slots, table, work, row, data, count, ROW, values, lows)
            except TypeError:  # a point without a value
                pass
        if found != 1:
            if not self.count:
                rows.unit_ms = 1 if rows.is_odd_time or at_ms % 1000 else 1000
                self.first_at_ms = at_ms
                room = self._put_head(_COUNT_LONG) + self.size_bytes - 3 - _CRC
                rows.begin(self.data, _HEAD_MAX, len(self.data), room, values, quality)
            elif not rows.put(at_ms - self.last_at_ms, values, quality, found):
                return False
        self.last_at_ms = at_ms
        self.count += 1
        return True

    def seal(self):
        """Finish the block; return its length. data[0:length] is valid until open().

        A block that came out dearer than packed bits is told in these.
        """
        start, end = self.close()
        rows_end = end - _CRC
        if self.rows.is_dear(self.count, rows_end - _HEAD_MAX):
            start, end = self._pack(start, rows_end)
        self.data[0 : end - start] = memoryview(self.data)[start:end]
        return end - start

    def close(self):
        """Return (start, end) of the block in data as it is sealed now; the block may go on.

        Valid until the next add() or open().
        """
        state = self.rows.state
        data = self.data
        end = state[_AT]
        if state[_LOW] > 0xFFFFFF:
            state[_LOW] &= 0xFFFFFF
            _carry(data, end)
        # The fewest bytes that name a number within the span.
        low = state[_LOW]
        limit = min(low + state[_SPAN], 0x1000000)
        rest = 24
        number = low
        while rest:
            number = ((low - 1) >> rest) + 1 << rest
            if number < limit:
                break
            rest -= 8
            number = low
        for shift in range(16, rest - 1, -8):
            data[end] = (number >> shift) & 0xFF
            end += 1
        start = self._put_head(self.count)
        return start, self._put_crc(start, end)

    def _put_crc(self, start, end):
        """Write the check sum behind data[start:end]; return where it ends."""
        data = self.data
        _put(data, end, crc32(memoryview(data)[start:end]) & 0xFFFFFFFF, _CRC)
        return end + _CRC

    def _pack(self, start, end):
        """Write the rows, data[_HEAD_MAX:end], as packed bits, where these take less."""
        was_loaded = "agent.codec_read" in sys.modules
        packed = None
        try:
            from agent.codec_packed import pack

            packed = pack(self.rows, self.data, _HEAD_MAX, end, self.count)
        except MemoryError:  # it stays as it is
            pass
        forget("codec_packed")
        if not was_loaded:
            forget("codec_read")
        if packed:
            end = _HEAD_MAX + len(packed)
            self.data[_HEAD_MAX:end] = packed
            start = self._put_head(self.count, VERSION_5)
        return start, self._put_crc(start, end)

    def _put_head(self, count, version=VERSION_4):
        """Write the head before the first row; return where it begins."""
        flags = version << 4 | self.clock
        base = self.first_at_ms
        base_bytes = 4
        if self.rows.unit_ms == 1:
            flags |= MILLIS
            base_bytes = 6
        else:
            base //= 1000
        count_bytes = 1
        if count >= _COUNT_LONG:
            flags |= LONG
            count_bytes = 2
        data = self.data
        at = _HEAD_MAX - count_bytes
        _put(data, at, count, count_bytes)
        most = (1 << (8 * base_bytes)) - 1
        if base >= most:
            at -= 8
            _put(data, at, base, 8)
            base = most
        at -= base_bytes
        _put(data, at, base, base_bytes)
        if self.clock == 0:
            at -= 4
            _put(data, at, self._boot, 4)
        at -= _HEAD
        self._head[0] = flags
        data[at : at + _HEAD] = self._head
        return at


def check(data):
    """Raise BadBlock unless data is a whole block of a version we know."""
    end = len(data) - _CRC
    if end < _HEAD:
        raise BadBlock("%d bytes, a block has at least %d" % (len(data), _HEAD + _CRC))
    if data[0] != VERSION_1 and data[0] >> 4 not in (VERSION_2, VERSION_3, VERSION_4, VERSION_5):
        raise BadBlock("version byte %02x, known are 01 and 20 to 5f" % data[0])
    found = int.from_bytes(bytes(data[end:]), "big")
    computed = crc32(bytes(data[:end])) & 0xFFFFFFFF
    if found != computed:
        raise BadBlock("crc %08x, computed %08x" % (found, computed))


def clock_of(data):
    """Return (clock, boot) of a block that is whole; boot is 0 where the clock was set."""
    clock = data[6] if data[0] == VERSION_1 else data[0] & 3
    return clock, 0 if clock else int.from_bytes(bytes(data[7:11]), "big")


def decode(data):
    """Decode one block (bytes); return what it holds. Raises BadBlock, and nothing else."""
    from agent.codec_read import Decoded  # a gateway never needs it

    check(data)
    try:
        return Decoded(data)
    except OverflowError:  # the check sum is right, the content was never written by a gateway
        raise BadBlock("a state beyond 32 bits")


def _carry(data, at):
    """Add one to the number that ends before at."""
    at -= 1
    while data[at] == 255:
        data[at] = 0
        at -= 1
    data[at] += 1


def _put(data, at, value, size):
    for i in range(size):
        data[at + size - 1 - i] = value & 0xFF
        value >>= 8
