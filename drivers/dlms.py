"""DLMS push: the lists that Nordic, Alpine and Dutch meters send on their customer port.

Not here: frames (drivers/hdlc.py, drivers/mbus_link.py), values (drivers/dlms_values.py),
decryption (drivers/gcm.py, imported only when a key is configured). Source: DLMS UA 1000-2 Ed. 10,
9.3.10 (data-notification), 9.2.7 (ciphering), 9.4.6.13 (blocks); EN 13757-1:2014 (on M-Bus).

    E6 E7 00 | 0F | invoke id 4 | date-time | data            data-notification
    E6 E7 00 | DB | 08 title | length | security 1 counter 4 | cipher text [tag 12]
    E6 E7 00 | E0 | control | block 2 | acknowledged 2 | length | a part of one of these

Options: "key" and "auth_key", 32 hexadecimal digits each: general-glo-ciphering, AES-128-GCM; with
"auth_key" the tag is checked. "size": the longest notification in bytes (default 1024).
"utc_offset_min": of a clock that does not say its own (default 60). "transport": "hdlc" (default),
or "mbus" where the meter pushes in long frames 68 L L 68 (a desk reads both).
"""

from micropython import const

from drivers.dlms_values import Values
from drivers.errors import BadFrame, Refused
from drivers.hdlc import HDLC

_SIZE = const(1024)
_LONG = const(3)  # of drivers/mbus_link.py
_LAST = const(0x80)  # of the control byte of a block: no other follows


def _key(options, name):
    """Return the 16 bytes of a key option, None when it is not there."""
    text = options.get(name, "")
    if not text:
        return None
    try:
        key = bytes(int(text[i : i + 2], 16) for i in range(0, len(text), 2))
    except ValueError:
        key = b""
    if len(key) != 16:
        raise ValueError("%s: not 32 hexadecimal digits" % name)
    return key


def _new_link(is_wanted):
    """Return a collector of M-Bus frames or None; imported only when wanted, to save RAM."""
    if not is_wanted:
        return None
    from drivers.mbus_link import Link

    return Link()


def _new_gcm(key):
    """Return the cipher of a key or None, likewise."""
    if not key:
        return None
    from drivers.gcm import GCM

    return GCM(key)


def _octets(data, at, end):
    """Return (start, stop) of the octets whose length is at data[at]; ValueError when cut."""
    length = data[at] if at < end else -1
    at += 1
    if length > 0x80:
        count = length & 0x7F
        length = -1
        if count < 3 and at + count <= end:
            length = data[at] if count == 1 else data[at] << 8 | data[at + 1]
            at += count
    if length < 0 or at + length > end:
        raise ValueError("octets end early, or have no length")
    return at, at + length


class DLMS:
    """One meter that pushes. Listens only."""

    waiting = False
    wait_ms = 0
    gap_us = 300_000
    reply_ms = 25_000

    def __init__(self, table, options):
        """table: a MAP whose codes are OBIS texts, or None; options: see the module."""
        self._values = Values(table, options)
        self.points = self._values.gather.points
        self.line = None
        size = options.get("size", _SIZE)
        if size < 64:
            raise ValueError("size: %d bytes hold no notification" % size)
        transport = options.get("transport", "hdlc")
        if transport not in ("hdlc", "mbus"):
            raise ValueError("transport: %s is not hdlc or mbus" % transport)
        self._is_mbus = transport == "mbus"
        self._hdlc = HDLC(0 if self._is_mbus else 2 * size)
        self._link = _new_link(self._is_mbus or table is None)
        self._message = bytearray(size)
        self._is_desk = table is None
        self._bare = bytearray(size if table is None else 0)
        self._key = _key(options, "key")
        self._auth_key = _key(options, "auth_key")
        self._gcm = _new_gcm(self._key)
        self.reset()

    def request(self, out):
        """Return 0: the meter pushes."""
        return 0

    def sent(self, now_ms):
        """Do nothing: nothing is ever sent."""

    def give_up(self, emit, quality):
        """Do nothing: there is no turn to give up."""

    def reset(self):
        """Forget a half frame and the segments before it."""
        self._hdlc.reset()
        if self._link:
            self._link.reset()
        self._length = 0
        self._blocks = 0  # bytes of whole blocks, which the next one is put behind
        self._block = 0  # its number
        self._next = 0  # segment of an M-Bus message
        self._bare_length = 0

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each whole notification."""
        hdlc = self._hdlc
        if start == end:
            return self._silence(end, now_ms, emit)
        for i in range(start, end):
            if self._is_mbus:
                self._take_mbus(data[i], i + 1, now_ms, emit)
                continue
            if self._is_desk and self._take_bare(data[i], i + 1, now_ms, emit):
                continue
            try:
                hdlc.put(data[i], i + 1)
                while hdlc.next_frame(i + 1):
                    try:
                        self._segment(i + 1, now_ms, emit)
                    finally:
                        hdlc.drop()
            except BadFrame:
                if not self._is_bare():  # a 7E within a notification that has no frame
                    raise
        return end

    def _is_bare(self):
        """Return whether what was kept of no frame may be a notification: at a desk only."""
        start = 3 if self._bare_length > 3 and self._bare[0] == 0xE6 else 0
        return self._bare_length > start and self._bare[start] in (0x0F, 0xDB, 0xE0)

    def _silence(self, end, now_ms, emit):
        """End what is half: a bare notification at a desk, or a frame that was cut."""
        length = self._bare_length
        if self._is_bare():
            self.reset()
            start = 0
            while start < length:
                start = self._notify(self._bare, start, length, end, now_ms, emit)
            return end
        cut = self._hdlc.length or self._length or self._blocks
        if self._hdlc.length:
            self._drain(end, now_ms, emit)
        elif self._is_mbus:
            cut = cut or self._link.length
        self.reset()
        if cut:
            raise BadFrame("silence within a frame or between its segments", end)
        if length and self._bare[0] != 0x7E:
            raise BadFrame("%d bytes that are no frame" % length, end)
        return end

    def _drain(self, end, now_ms, emit):
        """Read the whole frames behind the start of one whose damaged length took them in."""
        hdlc = self._hdlc
        self._length = 0
        while hdlc.length:
            hdlc.skip()
            is_damaged = True
            while is_damaged:
                is_damaged = False
                try:
                    while hdlc.next_frame(end):
                        try:
                            self._segment(end, now_ms, emit)
                        finally:
                            hdlc.drop()
                except (BadFrame, Refused):  # the silence's own error tells of them all
                    is_damaged = True

    def _take_bare(self, byte, resume, now_ms, emit):
        """Keep a byte of which no frame was made: at a desk it may be of a bare notification.

        Return whether it is none of HDLC's: no frame of that is open, or one of M-Bus is.
        """
        if self._bare_length == len(self._bare) and self._is_bare():
            self._shift_bare(resume, now_ms, emit)
        if self._bare_length < len(self._bare):
            self._bare[self._bare_length] = byte
            self._bare_length += 1
        link = self._link
        length = link.length
        if self._hdlc.is_open:
            return False
        if length == 2 and link.frame[1] == 0x7E != byte:  # 68 before a flag was noise
            link.reset()
            self._hdlc.put(0x7E, resume)
            return False
        if byte == 0x7E and (not length or (length in (2, 3) and link.frame[1] != byte)):
            link.reset()
            return False
        try:
            self._take_mbus(byte, resume, now_ms, emit)
        except (BadFrame, Refused):
            if not self._bare_length:
                raise
        return True

    def _shift_bare(self, resume, now_ms, emit):
        """Read the whole notifications that were kept; keep the last, which is cut here."""
        bare = self._bare
        length = len(bare)
        start = 0
        try:
            while start < length:
                start = self._notify(bare, start, length, resume, now_ms, emit)
        except (BadFrame, Refused):
            if not start:
                return  # the first one is longer than the buffer, or none
        for i in range(start, length):
            bare[i - start] = bare[i]
        self._bare_length = length - start

    def _take_mbus(self, byte, resume, now_ms, emit):
        """Take a byte of M-Bus: 68 L L 68 C A CI source destination data CS 16.

        CI: the number of the segment in its low bits, 0x10 when it is the last.
        """
        link = self._link
        if link.take(byte, resume) != _LONG:
            return
        frame = link.frame
        ci = frame[6]
        if frame[4] & 0x4F != 0x43 or ci > 0x1F or frame[1] < 6:
            raise BadFrame("M-Bus CI 0x%02x, not of DLMS" % ci, resume)
        self._bare_length = 0
        if ci & 0x0F != self._next:
            number = self._next
            self._next = self._length = 0
            if ci & 0x0F:
                raise BadFrame("segment %d, expected %d" % (ci & 0x0F, number), resume)
        self._next = 0 if ci & 0x10 else (self._next + 1) & 0x0F
        self._add(frame, 9, frame[1] + 4, not ci & 0x10, resume, now_ms, emit)

    def _segment(self, resume, now_ms, emit):
        """Add the information of the present frame."""
        hdlc = self._hdlc
        self._bare_length = 0
        self._add(hdlc.data, hdlc.start, hdlc.end, hdlc.is_segmented, resume, now_ms, emit)

    def _add(self, data, start, end, is_segmented, resume, now_ms, emit):
        """Add data[start:end] to the message; it is whole when no segment follows."""
        count = end - start
        behind = self._blocks + self._length
        if behind + count > len(self._message):
            self._length = self._blocks = 0
            raise BadFrame("notification longer than %d bytes" % len(self._message), resume)
        for i in range(count):
            self._message[behind + i] = data[start + i]
        self._length += count
        if not is_segmented:
            first = self._blocks
            self._length = 0
            self._apdu(first, behind + count, resume, now_ms, emit)

    def _apdu(self, start, end, resume, now_ms, emit):
        """Take message[start:end]: a notification, or a block; those before it stand before."""
        message = self._message
        at = start
        if end - at > 3 and message[at] == 0xE6 and message[at + 1] in (0xE6, 0xE7):
            at += 3
        if at == end or message[at] != 0xE0:
            self._blocks = self._block = 0
            self._notify(message, start, end, resume, now_ms, emit)
            return
        is_last = message[at + 1] & _LAST if end - at > 1 else 0
        try:
            number = message[at + 2] << 8 | message[at + 3] if end - at > 6 else 0
            content, end = _octets(message, at + 6, end)
            if number != 1 and number != self._block + 1:
                raise ValueError("block %d, expected %d" % (number, self._block + 1))
        except ValueError as why:
            self._blocks = self._block = 0
            raise BadFrame("DLMS: %s" % why, resume)
        if number == 1:  # whatever came before was cut
            start = 0
        for i in range(content, end):
            message[start + i - content] = message[i]
        self._blocks = start + end - content
        self._block = number
        if is_last:
            length = self._blocks
            self._blocks = self._block = 0
            self._notify(message, 0, length, resume, now_ms, emit)

    def _notify(self, data, start, end, resume, now_ms, emit):
        """Read the notification in data[start:end] and emit its reading; return what is behind."""
        if end - start > 3 and data[start] == 0xE6 and data[start + 1] in (0xE6, 0xE7):
            start += 3
        try:
            behind = -1
            if start < end and data[start] == 0xDB:
                data, start, end, behind = self._decrypt(data, start, end, resume)
            if start >= end or data[start] != 0x0F:
                raise ValueError("no data-notification")
            stop = self._values.read(data, start + 5, end)
        except ValueError as why:
            raise BadFrame("DLMS: %s" % why, resume)
        gather = self._values.gather
        if gather.found or self.points:
            emit(gather.finish(now_ms))
        return stop if behind < 0 else behind

    def _decrypt(self, data, start, end, resume):
        """Return (plain text, start, end, what is behind) of a general-glo-ciphering (9.2.7.2)."""
        at, stop = _octets(data, start + 1, end)
        title = bytes(data[at:stop])
        if len(title) != 8:
            raise ValueError("system title of %d bytes" % len(title))
        at, stop = _octets(data, stop, end)
        behind = stop
        if stop - at < 5:
            raise ValueError("cipher text of %d bytes" % (stop - at))
        security = data[at]
        if security & 0x20 and self._gcm is None:
            raise Refused("encrypted: this meter needs its key", 0, resume)
        if security & 0x80:
            raise ValueError("compressed: V.44 is not read")
        nonce = title + bytes(data[at + 1 : at + 5])
        tag = b""
        if security & 0x10:
            if stop - at < 17:
                raise ValueError("cipher text of %d bytes, with its tag" % (stop - at))
            stop -= 12
            tag = bytes(data[stop : stop + 12])
        text = bytes(data[at + 5 : stop])
        is_sealed = security & 0x20
        if tag and self._auth_key and self._gcm:
            extra = bytes((security,)) + self._auth_key + (b"" if is_sealed else text)
            if self._gcm.tag(nonce, extra, text if is_sealed else b"")[:12] != tag:
                raise ValueError("tag does not match: wrong key or damaged")
        if not is_sealed:
            return data, at + 5, stop, behind
        return self._gcm.decrypt(nonce, text), 0, len(text), behind
