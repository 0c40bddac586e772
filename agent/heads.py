"""Heads and feet of the ring: which save or segment is where in a block.

Not here: which blocks are live (ring.py). The fields are drawn in agent/JOURNAL.md, "The ring".

    heads = Heads(device, 32)
    at = heads.look(block)           # where its first content is; fields() says what it is
"""

from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const

HEAD = const(32)
REMOVED = const(28)  # where in a head a removal clears four bytes
_CRC = const(24)
_MAGIC = const(0x45635231)  # "EcR1": ring format 1
_WHAT_MAX = const(5)
_PIECE = const(256)


class Heads:
    """device: the ring's; unit: bytes of its smallest program.

    data      the head that was read or packed last
    sequence  the highest that walk() came across
    """

    def __init__(self, device, unit):
        self.data = bytearray(HEAD)
        self.sequence = 0
        self._device = device
        self._unit = unit
        self._size = device.ioctl(5, 0)
        self._piece = bytearray(_PIECE)
        self._erased = b"\xff" * _PIECE

    def fields(self):
        """Return (what, foot, part, parts, sequence, number, length, erases) of data."""
        return unpack_from(">BBBBIIII", self.data, 4)

    def pack(self, foot, what, part, parts, sequence, number, length, erases):
        """Put a head into data."""
        data = self.data
        pack_into(
            ">IBBBBIIII",
            data,
            0,
            _MAGIC,
            what,
            foot,
            part,
            parts,
            sequence,
            number,
            length,
            erases,
        )
        pack_into(">II", data, _CRC, crc32(memoryview(data)[:_CRC]) & 0xFFFFFFFF, 0xFFFFFFFF)

    def is_removed(self):
        """Say whether data is of a removed segment: a flipped bit does not decide."""
        return bin(unpack_from(">I", self.data, REMOVED)[0]).count("1") < 16

    def look(self, block):
        """Read a block's first head into data; return where its content is, 0: nowhere."""
        if self._is_head(block, 0):
            return HEAD
        if self.data == b"\xff" * HEAD:
            return 0  # never made true
        found = self.walk(block, 0, True)  # rotten: its copy will do
        return found[0] if found else 0

    def walk(self, block, at, first):
        """Return (offset, length) of the first or the last save from offset at on, or None.

        What is found is in data afterwards, for the first only.
        """
        found = None
        while at + HEAD <= self._size:
            if not at % _PIECE and self._is_erased(block, at):
                at += _PIECE  # most of a block that is not full
                continue
            if not self._is_head(block, at):
                at += HEAD
                continue
            _, foot, _, _, sequence, _, length, _ = self.fields()
            self.sequence = max(self.sequence, sequence)
            if foot:
                found = (at - up(length, HEAD), length)
                at = up(at + HEAD, self._unit)
            else:
                found = (at + HEAD, length)
                at += self.room_of(length)
            if first:
                break
        return found

    def room_of(self, length):
        """Return the bytes that a save of one part takes in its block."""
        return up(up(min(length, self._size - 2 * HEAD), HEAD) + 2 * HEAD, self._unit)

    def _is_erased(self, block, at):
        self._device.readblocks(block, self._piece, at)
        return self._piece == self._erased

    def _is_head(self, block, at):
        """Read a head or a foot into data; false when there is none at that offset."""
        data = self.data
        self._device.readblocks(block, data, at)
        magic, what = unpack_from(">IB", data, 0)
        if magic != _MAGIC or not 1 <= what <= _WHAT_MAX:
            return False
        return unpack_from(">I", data, _CRC)[0] == crc32(memoryview(data)[:_CRC]) & 0xFFFFFFFF


def up(value, unit):
    """Return value rounded up to a multiple of unit."""
    return (value + unit - 1) // unit * unit
