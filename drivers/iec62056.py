"""IEC 62056-21: the optical port and the current loop of electricity and heat meters.

Not here: what the lines mean (drivers/obis.py); programming mode. Source: IEC 62056-21:2002, 6.3
(messages), 6.4 (modes A to D).

    /?address! CR LF            sign-on, 300 7E1 (modes A, B, C)
    /XXXZident CR LF            Z: the speed it offers
    ACK 0 Z 0 CR LF             mode C: accepted, sent at 300; then the speed changes
    STX data ! CR LF ETX BCC    read-out; mode D pushes it at 2400 without being asked

Options: "mode" "A", "B", "C" (default) or "D"; "address" of the meter, "" any; "baud", the fastest
to accept (default 9600); "settle_ms", pause between the acknowledge and the change of speed
(default 300: some meters need 200 to 400); "wake", zero bytes sent ahead of the sign-on (an
Ultraheat: 40); "bcc": False where modes A to C come without a checksum; "min_interval_s", least
pause between two read-outs (an Ultraheat spends half an
hour of its battery on each: give 900 or more); "size" of a read-out in bytes (default 2048).

A meter that acknowledges a speed and never changes is read at 300 baud on the retry. At a desk
a read-out whose checksum is wrong is shown too, each value IMPLAUSIBLE, and the error is raised.
"""

from micropython import const

from drivers.errors import BadFrame
from drivers.obis import Text
from drivers.reading import GOOD, IMPLAUSIBLE

_STX = const(0x02)
_ETX = const(0x03)
_ACK = const(0x06)
_LF = const(0x0A)
_CR = const(0x0D)
_BANG = const(0x21)
_SLASH = const(0x2F)
_SIZE = const(2048)
_REACT_MS = const(2_000)  # 6.3.13: 1500 ms at most until the answer begins
_IDENTIFY_MS = const(4_000)  # and some forty characters at 300 baud
_SPEEDS = (300, 600, 1200, 2400, 4800, 9600, 19200)

# Where in the stream
_HUNT = const(0)  # looking for a slash or STX
_IDENT = const(1)  # in the identification line
_BODY = const(2)  # in the data sets
_AFTER = const(3)  # behind the exclamation mark
_CHECK = const(4)  # behind ETX: one byte of checksum

# Where in the turn
_SIGN_ON = const(0)
_ACCEPT = const(1)
_DATA = const(2)
_DONE = const(3)


class IEC62056:
    """One meter on an optical head or current loop. Asks in modes A to C, listens in mode D."""

    gap_us = 1_500_000  # 6.3.13: up to 1500 ms between two characters
    reply_ms = 60_000  # of a pushing meter; of an asked one as long as its answer can take

    def __init__(self, table, options):
        """table: a MAP whose codes are OBIS texts, or None; options: see the module."""
        self._text = Text(table, options)
        self.points = self._text.gather.points
        self.mode = options.get("mode", "C")
        if self.mode not in ("A", "B", "C", "D"):
            raise ValueError("mode: %s is not A, B, C or D" % self.mode)
        self._sign_on = ("/?%s!\r\n" % options.get("address", "")).encode()
        self._wake = options.get("wake", 0)
        self._baud = options.get("baud", 9600)
        if self._baud not in _SPEEDS:
            raise ValueError("baud: %d is not one of 300, 600 .. 19200" % self._baud)
        size = options.get("size", _SIZE)
        if size < 64:
            raise ValueError("size: %d bytes hold no read-out" % size)
        self.settle_ms = options.get("settle_ms", 300)
        if not 0 <= self.settle_ms <= 1500:
            raise ValueError("settle_ms: %d is not 0 .. 1500" % self.settle_ms)
        self.wait_ms = 1000 * options.get("min_interval_s", 0) or 1500
        self._frame = bytearray(size)
        self._is_open = table is None
        self._needs_bcc = table is not None and self.mode != "D" and options.get("bcc", True)
        self._is_bcc_due = self._needs_bcc  # from the first good one on
        self.line = None
        self.reset()

    def reset(self):
        """Forget a half message and an unfinished turn."""
        self._forget()
        self.waiting = False
        self._step = _SIGN_ON
        self._speed = 0
        self._is_slow = False  # the meter did not follow to the speed it offered

    def _forget(self):
        """Forget a half message."""
        self._state = _HUNT
        self._length = 0
        self._has_bcc = False
        self._bcc = 0

    def request(self, out):
        """Write the sign-on or the acknowledge; 0 when all is read or the meter pushes."""
        self._forget()
        if self.mode == "D" or self._step == _DONE:
            self._step = _SIGN_ON
            self.waiting = False
            return 0
        self.waiting = True
        if self._step == _DATA:  # nothing came at the new speed: stay at the old one
            self._is_slow = True
            self._step = _SIGN_ON
        if self._step == _ACCEPT:
            self.reply_ms = self._longest_ms(_SPEEDS[self._speed])
            digit = 0x30 + self._speed
            for i, byte in enumerate((_ACK, 0x30, digit, 0x30, _CR, _LF)):
                out[i] = byte
            return 6
        self.line = (300, 7, "E", 1)
        self.reply_ms = _IDENTIFY_MS if self.mode == "C" else self._longest_ms(300)
        for i in range(self._wake):
            out[i] = 0
        for i in range(len(self._sign_on)):
            out[self._wake + i] = self._sign_on[i]
        return self._wake + len(self._sign_on)

    def _longest_ms(self, baud):
        """Return how long a read-out that fills the buffer takes, ms."""
        return _REACT_MS + len(self._frame) * 10_000 // baud

    def sent(self, now_ms):
        """Change the speed when the acknowledge is out (the bus first waits settle_ms)."""
        if self._step == _ACCEPT:
            self._step = _DATA
            self.line = (_SPEEDS[self._speed], 7, "E", 1)

    def give_up(self, emit, quality):
        """Emit None for all points and end the turn."""
        gather = self._text.gather
        gather.start()
        reading = gather.finish(0)
        reading.clear(quality)
        emit(reading)
        slow = self._is_slow
        self.reset()
        self._is_slow = slow

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each whole read-out."""
        if start == end:
            return self._silence(end, now_ms, emit)
        for i in range(start, end):
            self._take(data[i] & 0x7F, i + 1, now_ms, emit)
        return end

    def _take(self, byte, resume, now_ms, emit):
        """Take one byte, its parity bit removed."""
        state = self._state
        if state == _CHECK:
            self._check(byte, resume, now_ms, emit)
            return
        if byte == _SLASH:
            length = self._length
            self._forget()
            self._state = _IDENT
            self._frame[0] = byte
            self._length = 1
            if state in (_BODY, _AFTER) and length > 0:
                raise BadFrame("read-out cut after %d bytes by the next one" % length, resume)
            return
        if self._has_bcc:
            self._bcc ^= byte
        if state == _HUNT:
            if byte == _STX:
                self._begin_body(True)
            elif self._is_open and byte > 0x20:  # at a desk: data sets without a frame
                self._begin_body(False)
                self._keep(byte, resume)
        elif state == _IDENT:
            if byte == _STX:  # the line's end was lost
                self._begin_body(True)
                return
            self._keep(byte, resume)
            if byte == _LF:
                self._identified()
        elif state == _BODY:
            if byte == _STX and self._length == 0:
                self._begin_body(True)
            elif byte == _ETX:
                self._state = _CHECK
            elif byte == _BANG:
                self._state = _AFTER
            elif self._length or byte > 0x20:
                self._keep(byte, resume)
        elif byte == _ETX:
            self._state = _CHECK
        elif byte == _LF and not self._has_bcc:
            self._unchecked(resume, now_ms, emit)

    def _check(self, byte, resume, now_ms, emit):
        """Take the byte behind ETX, the checksum of all between STX and it."""
        bcc = self._bcc
        if not self._has_bcc:
            self._forget()
            raise BadFrame("ETX without STX", resume)
        if byte != bcc:
            if self._is_open:
                self._finish(resume, now_ms, emit, IMPLAUSIBLE)
            self._forget()
            raise BadFrame("bcc 0x%02x, computed 0x%02x" % (byte, bcc), resume)
        self._is_bcc_due = True
        self._finish(resume, now_ms, emit)

    def _unchecked(self, resume, now_ms, emit):
        """Take a read-out without STX, so without a checksum: refused where there was one."""
        if self._is_bcc_due:
            self._is_bcc_due = self._needs_bcc  # twice in a row: it is another meter now
            if self._is_open:
                self._finish(resume, now_ms, emit, IMPLAUSIBLE)
            self._forget()
            raise BadFrame("read-out without its checksum", resume)
        self._finish(resume, now_ms, emit)

    def _begin_body(self, has_bcc):
        """Begin the data sets; behind STX their checksum begins too."""
        self._state = _BODY
        self._length = 0
        self._bcc = 0
        self._has_bcc = has_bcc

    def _keep(self, byte, resume):
        """Add one byte to the message."""
        if self._length == len(self._frame):
            self._forget()
            raise BadFrame("read-out longer than %d bytes" % len(self._frame), resume)
        self._frame[self._length] = byte
        self._length += 1

    def _identified(self):
        """Take the identification line: /XXXZ ident CR LF."""
        frame = self._frame
        length = self._length
        self._forget()
        for i in range(1, 4):
            if length < 6 or not 0x41 <= frame[i] & 0x5F <= 0x5A:
                return  # the echo of a sign-on, or no identification
        self._begin_body(False)
        if self._step != _SIGN_ON or not self.waiting:
            return
        offered = frame[4]
        if self.mode == "B" and 0x41 <= offered <= 0x46:
            self.line = (_SPEEDS[offered - 0x40], 7, "E", 1)
        elif self.mode == "C":
            self._speed = 0
            if 0x30 <= offered <= 0x36 and not self._is_slow:
                self._speed = offered - 0x30
                while _SPEEDS[self._speed] > self._baud:
                    self._speed -= 1
            self._step = _ACCEPT
            self.waiting = False

    def _silence(self, end, now_ms, emit):
        """End what is half; at a desk the end of the file ends a read-out too."""
        state = self._state
        length = self._length
        is_whole = state == _AFTER and (not self._has_bcc or self._is_open)
        if is_whole or (self._is_open and state == _BODY and not self._has_bcc and length):
            for i in range(length):
                if self._frame[i] == 0x28:
                    self._finish(end, now_ms, emit)
                    return end
            length = 0
        if state != _HUNT:
            self._forget()
            if length:
                raise BadFrame("silence after %d bytes of a message" % length, end)
        return end

    def _finish(self, resume, now_ms, emit, quality=GOOD):
        """Read the message in the frame and emit its reading, its values of this quality."""
        length = self._length
        text = self._text
        self._forget()
        text.gather.start()
        fault = ""
        try:
            text.read(self._frame, 0, length)
        except ValueError as why:
            fault = "IEC 62056-21: %s" % why
            if not self._is_open:
                raise BadFrame(fault, resume)
        if self.mode != "D":
            self._step = _DONE
            self.waiting = False
        if text.gather.found or self.points:
            reading = text.gather.finish(now_ms)
            for i in range(len(reading.values)):
                if quality != GOOD:
                    reading.quality[i] = quality
            emit(reading)
        if fault:
            raise BadFrame(fault, resume)
