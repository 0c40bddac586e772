"""HDLC frames of type 3: from a stream of bytes to checked information fields.

Not what they carry (drivers/dlms.py). Source: ISO/IEC 13239:2002, 4.9; DLMS UA 1000-2 Ed. 10, 8.4.

    7E | A S L L | dest 1..4 | src 1..4 | control | HCS HCS | information | FCS FCS | 7E
        S: more segments follow; L: 11 bits, all between the flags; addresses end with bit 0 set

Some adapters stuff bytes (7D, then the byte ^ 20) though type 3 needs none: both are read.
"""

from micropython import const

from drivers.checksums import crc16_x25
from drivers.errors import BadFrame

_FLAG = const(0x7E)
_ESCAPE = const(0x7D)
_GOOD_FCS = const(0xF0B8)

# What _examine() found
_SHORT = const(0)  # not whole yet
_FRAME = const(1)
_BAD = const(2)


class HDLC:
    """Collects frames. After take() returned True, data[start:end] is the information field."""

    def __init__(self, size):
        """size: the longest frame in bytes as it comes, at most 2 * 2047 when stuffed."""
        self.data = bytearray(size)
        self.reset()

    def reset(self):
        """Forget a half frame."""
        self.length = 0  # bytes behind the opening flag; is_open says whether there was one
        self.is_open = False
        self.start = 0
        self.end = 0
        self.is_segmented = False
        self._used = 0
        self._is_stuffed = False

    def put(self, byte, resume):
        """Add one byte; raise BadFrame when the buffer is full."""
        if not self.is_open:
            self.is_open = byte == _FLAG
            return
        if self.length == 0 and byte == _FLAG:
            return  # flags may repeat between frames
        if self.length == len(self.data):
            self._resynchronise()
            raise BadFrame("HDLC frame longer than %d bytes" % len(self.data), resume)
        self.data[self.length] = byte
        self.length += 1

    def next_frame(self, resume):
        """Return True when a frame is whole: its information is self.data[start:end].

        Call until False; call drop() when done with a frame. Raises BadFrame for a damaged one.
        """
        what = self._examine()
        if what == _BAD:
            self._resynchronise()
            raise BadFrame("HDLC frame damaged", resume)
        return what == _FRAME

    def drop(self):
        """Take the present frame out; its closing flag opens the next one."""
        self._move(self._used + 1)

    def skip(self):
        """Give up the half frame held: what follows its next flag may be whole frames."""
        self._resynchronise()

    def _move(self, first):
        """Keep only the bytes from first on."""
        data = self.data
        for i in range(first, self.length):
            data[i - first] = data[i]
        self.length = max(self.length - first, 0)
        self._is_stuffed = False

    def _resynchronise(self):
        """Go on at the next flag in the bytes held, without a frame when there is none."""
        data = self.data
        for i in range(self.length):
            if data[i] == _FLAG:
                self._move(i + 1)
                while self.length and data[0] == _FLAG:
                    self._move(1)
                return
        self.length = 0
        self.is_open = False

    def _examine(self):
        """Say whether the bytes held are a frame, may become one, or cannot be one."""
        data = self.data
        length = self.length
        if length == 0:
            return _SHORT
        if data[0] & 0xF0 != 0xA0:
            return _BAD
        if length < 2:
            return _SHORT
        size = ((data[0] & 7) << 8) | data[1]
        if size < 7:
            return _BAD
        if self._is_stuffed:
            return self._examine_stuffed(size)
        if length <= size:
            return _SHORT
        if data[size] == _FLAG and crc16_x25(data, 0, size) == _GOOD_FCS:
            self._used = size
            return self._locate(size)
        for i in range(size):
            if data[i] == _ESCAPE:
                self._is_stuffed = True
                return self._examine_stuffed(size)
        return _BAD

    def _examine_stuffed(self, size):
        """As _examine(), for a frame whose 7D and 7E are escaped."""
        data = self.data
        length = self.length
        if data[length - 1] != _FLAG and length <= 2 * size:
            return _SHORT
        at = 0
        to = 0
        while at < length and data[at] != _FLAG:
            at += 2 if data[at] == _ESCAPE else 1
            to += 1
        if at >= length or to != size:
            return _BAD
        self._used = at
        crc = 0xFFFF
        at = 0
        while at < self._used:  # check first, change after: a bad frame stays as it came
            byte = data[at]
            at += 1
            if byte == _ESCAPE:
                byte = data[at] ^ 0x20
                at += 1
            crc ^= byte
            for _ in range(8):
                crc = (crc >> 1) ^ 0x8408 if crc & 1 else crc >> 1
        if crc != _GOOD_FCS:
            return _BAD
        at = 0
        for to in range(size):
            byte = data[at]
            at += 1
            if byte == _ESCAPE:
                byte = data[at] ^ 0x20
                at += 1
            data[to] = byte
        return self._locate(size)

    def _locate(self, size):
        """Find the information field of the checked frame of this size."""
        data = self.data
        at = 2
        for _ in range(2):  # two addresses
            first = at
            while at < size and not data[at] & 1:
                at += 1
            at += 1
            if at - first > 4:
                return _BAD
        self.is_segmented = bool(data[0] & 8)
        self.end = size - 2
        self.start = min(at + 3, self.end)  # no information: no HCS either
        return _FRAME
