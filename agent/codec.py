"""Readings of one meter <-> one compressed block, format version 1 (agent/FORMAT.md).

Not the record around it (record.py). Integers only; each block decodes alone, given the schema
that its config hash names.

    block = Block(points_count=3, size_bytes=1024)
    block.open(b"\\x1a\\x2b\\x3c\\x4d", meter=0, clock=1, boot=7)
    block.add(1766534400000, (2304, None, 17), bytes((0, 1, 0)))
    length = block.seal()               # block.data[0:length]
    decode(block.data[0:length]).rows   # [(1766534400000, [2304, None, 17], b"\\0\\1\\0")]
"""

from binascii import crc32

from micropython import const

_VERSION = const(1)
_HEAD = const(22)  # version, config hash, meter, clock, boot, time base, count, points
_CRC = const(4)
_VARINT_MAX = const(10)  # a zigzag of 65 bits
_MAX_VALUE = (1 << 64) - 1
_MIN_VALUE = -(1 << 63)


class BadBlock(Exception):
    """The bytes are not a whole block: keep them aside, do not decode further."""


class Block:
    """The open block of one meter; every byte it will use is allocated here.

    points_count  values of each reading, 0 .. 255
    size_bytes    the largest sealed block, 64 .. 4000
    """

    def __init__(self, points_count, size_bytes):
        self.data = bytearray(size_bytes)
        self.count = 0
        self.first_at_ms = 0
        self.last_at_ms = 0
        self._points = points_count
        self._last = [0] * points_count
        self._row_max = _VARINT_MAX + points_count * (_VARINT_MAX + 1)
        self._at = _HEAD

    def open(self, config_hash, meter, clock, boot):
        """Begin an empty block.

        config_hash  4 bytes; meter 0 .. 255, its place in the schema
        clock        state of agent/clock.py; boot: u32
        """
        data = self.data
        data[0] = _VERSION
        for i in range(4):
            data[1 + i] = config_hash[i]
        data[5] = meter
        data[6] = clock
        _put(data, 7, boot, 4)
        data[21] = self._points
        self.count = 0
        self._at = _HEAD
        for i in range(self._points):
            self._last[i] = 0

    def add(self, at_ms, values, quality):
        """Append one reading; false when there is no room: nothing changed, seal and open anew.

        at_ms    milliseconds, 0 .. 2**63, in any order
        values   int or None for each point; quality: a code for each (drivers/reading.py)
        """
        if self._at + self._row_max + _CRC > len(self.data) or self.count == 0xFFFF:
            return False
        data = self.data
        if self.count == 0:
            self.first_at_ms = at_ms
            _put(data, 11, at_ms, 8)
            self.last_at_ms = at_ms
        at = _put_varint(data, self._at, at_ms - self.last_at_ms)
        last = self._last
        for i in range(self._points):
            value = values[i]
            code = quality[i] << 1
            if value is None:
                data[at] = code
                at += 1
            else:
                data[at] = code | 1
                at = _put_varint(data, at + 1, value - last[i])
                last[i] = value
        self._at = at
        self.last_at_ms = at_ms
        self.count += 1
        return True

    def seal(self):
        """Finish the block; return its length. data[0:length] is valid until open()."""
        _put(self.data, 19, self.count, 2)
        end = self._at
        _put(self.data, end, crc32(memoryview(self.data)[0:end]) & 0xFFFFFFFF, 4)
        return end + _CRC

    def snapshot(self, out, at):
        """Write the open block as it would be sealed now into out; return the index after."""
        length = self.seal()
        out[at : at + length] = memoryview(self.data)[0:length]
        return at + length

    def restore(self, data, start, end):
        """Continue a block from its snapshot data[start:end]. Raises BadBlock."""
        found = decode(bytes(memoryview(data)[start:end]))
        if found.points != self._points or end - start > len(self.data):
            raise BadBlock("snapshot of %d points, %d here" % (found.points, self._points))
        self.open(found.config_hash, found.meter, found.clock, found.boot)
        for at_ms, values, quality in found.rows:
            if not self.add(at_ms, values, quality):
                raise BadBlock("snapshot longer than the block")


class Decoded:
    """One decoded block: its header, and rows of (at_ms, values, quality)."""

    def __init__(self, data):
        self.version = data[0]
        self.config_hash = bytes(data[1:5])
        self.meter = data[5]
        self.clock = data[6]
        self.boot = int.from_bytes(data[7:11], "big")
        self.points = data[21]
        self.rows: list = []


def decode(data):
    """Decode one block (bytes); return a Decoded. Raises BadBlock, and nothing else."""
    end = len(data) - _CRC
    if end < _HEAD:
        raise BadBlock("%d bytes, a block has at least %d" % (len(data), _HEAD + _CRC))
    if data[0] != _VERSION:
        raise BadBlock("version %d, known is %d" % (data[0], _VERSION))
    found = int.from_bytes(bytes(data[end:]), "big")
    computed = crc32(bytes(data[:end])) & 0xFFFFFFFF
    if found != computed:
        raise BadBlock("crc %08x, computed %08x" % (found, computed))
    block = Decoded(data)
    at_ms = int.from_bytes(bytes(data[11:19]), "big")
    count = int.from_bytes(bytes(data[19:21]), "big")
    last = [0] * block.points
    at = _HEAD
    for _ in range(count):
        step, at = _get_varint(data, at, end)
        at_ms += step
        values: list = [None] * block.points
        quality = bytearray(block.points)
        for i in range(block.points):
            if at >= end:
                raise BadBlock("row ends beyond the block")
            mark = data[at]
            at += 1
            quality[i] = mark >> 1
            if mark & 1:
                step, at = _get_varint(data, at, end)
                last[i] += step
                if not _MIN_VALUE <= last[i] <= _MAX_VALUE:
                    raise BadBlock("value beyond 64 bits")
                values[i] = last[i]
        block.rows.append((at_ms, values, bytes(quality)))
    if at != end:
        raise BadBlock("%d bytes after the last row" % (end - at))
    return block


def _put(data, at, value, size):
    for i in range(size):
        data[at + size - 1 - i] = value & 0xFF
        value >>= 8


def _put_varint(data, at, value):
    """Write the zigzag of value, seven bits a byte, low first; return the index after."""
    value = (value << 1) if value >= 0 else ((-value) << 1) - 1
    while value > 0x7F:
        data[at] = (value & 0x7F) | 0x80
        value >>= 7
        at += 1
    data[at] = value
    return at + 1


def _get_varint(data, at, end):
    value = shift = 0
    while True:
        if at >= end or shift >= 7 * _VARINT_MAX:
            raise BadBlock("number cut short")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return ((value >> 1) if not value & 1 else -((value + 1) >> 1)), at
