"""Wired M-Bus: asks a meter by its primary or secondary address, in one or more telegrams.

Not here: frames (drivers/mbus_link.py), records (drivers/mbus_records.py), finding unknown
meters (drivers/mbus_search.py). Source: EN 13757-2:2018, 5; EN 13757-3:2018, 5 to 8.

    SND_NKE or selection -> E5        REQ_UD2 -> RSP_UD      REQ_UD2 with FCB toggled -> RSP_UD ...

Options: "address" 0 .. 250 (primary), or "secondary" as 16 hexadecimal digits, id maker version
medium, as printed on the meter ("24083345" + "C514" + "00" + "04"; F is any digit; 8 digits
mean that the rest is any). The line is 2400 8E1 by default, from the port's configuration.
Without either option the driver only reads what it is fed: long frames at a desk.
"""

from micropython import const

from drivers.errors import BadFrame, Refused
from drivers.mbus_link import ACK, LONG, Link, select_frame, short_frame
from drivers.mbus_records import Records

_NETWORK = const(0xFD)  # the address of the meter that was selected
_SND_NKE = const(0x40)
_REQ_UD2 = const(0x5B)
_FCB = const(0x20)
_TELEGRAMS = const(32)  # of one read-out; more is a meter that never ends

_SEALED = (2, 3, 4, 5, 7, 8, 9, 10, 13)  # encryption modes

_BEGIN = const(0)  # SND_NKE or the selection is next or awaited
_READ = const(1)  # REQ_UD2 is next or awaited
_DONE = const(2)


def identity_bytes(text):
    """Return the eight wire bytes of a secondary address; ValueError when it is none."""
    if len(text) == 8:
        text += "FFFFFFFF"
    try:
        raw = bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))
    except ValueError:
        raw = b""
    if len(text) != 16 or len(raw) != 8:
        raise ValueError("secondary: %s is not 8 or 16 hexadecimal digits" % text)
    return bytes((raw[3], raw[2], raw[1], raw[0])) + raw[4:]


class MBus:
    """One meter on an M-Bus. Asks."""

    gap_us = 50_000  # 33 bit times at 300 baud are 110 ms; level converters batch
    reply_ms = 2_000  # 330 bit times and 50 ms, then 261 bytes at 2400 baud
    wait_ms = 20

    def __init__(self, table, options):
        """table: a MAP whose codes are record selectors, or None; options: see the module."""
        self._records = Records(table, options)
        self.points = self._records.gather.points
        self.line = None
        self.waiting = False
        self._address = options.get("address", -1)
        self._identity = None
        if "secondary" in options:
            self._identity = identity_bytes(options["secondary"])
            self._address = _NETWORK
        elif self._address != -1 and not 0 <= self._address <= 250:
            raise ValueError("address: %d is not 0 .. 250" % self._address)
        elif self._address == -1 and table is not None:
            raise ValueError("address or secondary: which meter is to be asked?")
        self._link = Link()
        self.reset()

    def reset(self):
        """Forget a half frame and an unfinished turn."""
        self._link.reset()
        self.waiting = False
        self._step = _BEGIN
        self._fcb = _FCB
        self._telegrams = 0

    def request(self, out):
        """Write the next request of this turn; 0 when the read-out is over."""
        self._link.reset()
        if self._address < 0 or self._step == _DONE:
            self._step = _BEGIN
            self.waiting = False
            return 0
        self.waiting = True
        if self._step == _READ:
            return short_frame(out, _REQ_UD2 | 0x00 | self._fcb, self._address)
        self._fcb = _FCB
        self._telegrams = 0
        if self._identity is not None:
            return select_frame(out, self._identity)
        return short_frame(out, _SND_NKE, self._address)

    def sent(self, now_ms):
        """Do nothing: the answer may come at once."""

    def give_up(self, emit, quality):
        """Emit what the turn got, the rest None, and end the turn."""
        if self._telegrams == 0:
            self._records.start()
        reading = self._records.finish(0)
        for i in range(len(reading.values)):
            if reading.values[i] is None:
                reading.set(i, None, quality)
        emit(reading)
        self.reset()

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading when the last telegram of the read-out is here."""
        link = self._link
        if start == end and link.length:
            length = link.length
            link.reset()
            raise BadFrame("silence after %d bytes of a frame" % length, end)
        for i in range(start, end):
            kind = link.take(data[i], i + 1)
            if kind == ACK:
                self._acknowledged()
            elif kind == LONG:
                self._response(i + 1, now_ms, emit)
        return end

    def _acknowledged(self):
        """Go on to the read-out behind an E5."""
        if self.waiting and self._step == _BEGIN:
            self._step = _READ
            self.waiting = False

    def _response(self, resume, now_ms, emit):
        """Take the long frame in the link's buffer: 68 L L 68 C A CI data CS 16."""
        frame = self._link.frame
        if frame[4] & _SND_NKE:
            return  # from a master: the echo of our own selection
        address = frame[5]
        if self._address >= 0:
            if not self.waiting or self._step != _READ:
                raise BadFrame("answer of %d that nobody asked for" % address, resume)
            if self._identity is None and address != self._address:
                raise BadFrame("answer of %d, asked %d" % (address, self._address), resume)
        self.waiting = False
        if self._telegrams == 0 or self._address < 0:
            self._records.start()
        try:
            self._application(frame, frame[1] + 4, resume)
        except ValueError as why:
            self.waiting = self._address >= 0
            raise BadFrame("M-Bus %s" % why, resume)
        self._telegrams += 1
        self._fcb ^= _FCB
        if self._address >= 0 and self._records.more and self._telegrams < _TELEGRAMS:
            return
        self._step = _DONE
        gather = self._records.gather
        if gather.found or self.points:
            emit(self._records.finish(now_ms))

    def _application(self, frame, end, resume):
        """Read the user data frame[6:end], the CI field first (EN 13757-3, 5)."""
        records = self._records
        ci = frame[6]
        if ci == 0x72:
            if end - 7 < 12:
                raise ValueError("header of %d bytes, 12 are needed" % (end - 7))
            self._match(frame)
            self._open(frame, 17, end, resume)
            records.read(frame, 19, end)
        elif ci == 0x7A:
            if end - 7 < 4:
                raise ValueError("header of %d bytes, 4 are needed" % (end - 7))
            self._open(frame, 9, end, resume)
            records.read(frame, 11, end)
        elif ci == 0x78:
            records.read(frame, 7, end)
        elif ci == 0x73:
            records.read_fixed(frame, 7, end)
        elif ci == 0x70:
            code = frame[7] if end > 7 else 0
            self._step = _DONE
            raise Refused("application error %d" % code, code, resume)
        else:
            raise ValueError("CI 0x%02x is not known" % ci)

    def _open(self, frame, at, end, resume):
        """Refuse what is encrypted, by the configuration field at `at` (EN 13757-7:2018, 7.5).

        Before there was one, meters filled it with a signature of their own: modes that nobody
        defined are none. Two fillers are what plain text begins with.
        """
        mode = frame[at + 1] & 0x1F
        if mode not in _SEALED or (mode in (4, 5) and not frame[at] & 0xF0):
            return
        if at + 4 > end or frame[at + 2] != 0x2F or frame[at + 3] != 0x2F:
            raise Refused("encrypted telegram, mode %d" % mode, mode, resume)

    def _match(self, frame):
        """Check that the meter that answered is the one selected."""
        identity = self._identity
        if identity is None:
            return
        for i in range(8):
            for shift in (0, 4):
                wanted = (identity[i] >> shift) & 15
                if wanted != 15 and wanted != (frame[7 + i] >> shift) & 15:
                    raise ValueError("answer of another meter than the one selected")
