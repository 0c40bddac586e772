"""M-Bus link layer: frames in and out.

Not what they carry (drivers/mbus_records.py). Source: EN 13757-2:2018, 5 (FT 1.2).

    E5                                     acknowledge
    10 C A CS 16                           short
    68 L L 68 C A CI ... CS 16             long; L counts C through the last data byte
"""

from micropython import const

from drivers.checksums import sum8
from drivers.errors import BadFrame

ACK = const(1)
SHORT = const(2)
LONG = const(3)

_STOP = const(0x16)


def short_frame(out, control, address):
    """Write a short frame into out; return its length, 5."""
    out[0] = 0x10
    out[1] = control
    out[2] = address
    out[3] = (control + address) & 0xFF
    out[4] = _STOP
    return 5


def select_frame(out, identity):
    """Write the selection of a secondary address into out; return its length, 17.

    identity: the eight bytes as on the wire: id (BCD, low byte first, nibble F any), maker (2),
    version, medium (FF any).
    """
    for i, byte in enumerate(b"\x68\x0b\x0b\x68\x73\xfd\x52"):
        out[i] = byte
    for i in range(8):
        out[7 + i] = identity[i]
    out[15] = sum8(out, 4, 15)
    out[16] = _STOP
    return 17


class Link:
    """Collects one frame at a time."""

    def __init__(self):
        self.frame = bytearray(261)
        self.length = 0

    def reset(self):
        """Forget a half frame."""
        self.length = 0

    def take(self, byte, resume):
        """Take one byte; return ACK, SHORT or LONG when it ended a frame, else 0.

        The frame stays in self.frame until the next byte. Raises BadFrame; resume is its place
        to go on.
        """
        frame = self.frame
        length = self.length
        if length == 0:
            if byte == 0xE5:
                return ACK
            if byte not in (0x10, 0x68):
                raise BadFrame("0x%02x where a frame should start" % byte, resume)
        frame[length] = byte
        length += 1
        self.length = length
        if frame[0] == 0x10:
            if length < 5:
                return 0
            self._check(1, resume)
            return SHORT
        if length == 4 and (frame[1] != frame[2] or byte != 0x68 or frame[1] < 3):
            self._drop("header %02x %02x %02x" % (frame[1], frame[2], byte), resume)
        if length < 4 or length < frame[1] + 6:
            return 0
        self._check(4, resume)
        return LONG

    def _check(self, start, resume):
        """Check sum and stop of the frame whose checked bytes begin at start."""
        frame = self.frame
        end = self.length - 2
        found = frame[end]
        total = sum8(frame, start, end)
        if found != total:
            self._drop("sum 0x%02x, computed 0x%02x" % (found, total), resume)
        if frame[end + 1] != _STOP:
            self._drop("stop 0x%02x" % frame[end + 1], resume)
        self.length = 0

    def _drop(self, why, resume):
        """Forget the frame, but for a later byte in it that may begin the next one."""
        frame = self.frame
        length = self.length
        self.length = 0
        for first in range(1, length):
            if self._may_begin(first, length):
                self.length = length - first
                for i in range(first, length):
                    frame[i - first] = frame[i]
                break
        raise BadFrame("M-Bus %s" % why, resume)

    def _may_begin(self, first, end):
        """Return whether frame[first:end] can be the start of a frame that is not whole yet."""
        frame = self.frame
        length = end - first
        if frame[first] == 0x10:
            return length < 5
        if frame[first] != 0x68:
            return False
        if length > 2 and frame[first + 1] != frame[first + 2]:
            return False
        if length > 3 and frame[first + 3] != 0x68:
            return False
        return length < 2 or (frame[first + 1] >= 3 and length < frame[first + 1] + 6)
