"""DLMS push over HDLC: the lists that Nordic and Alpine meters send on their customer port.

Not here: frames (drivers/hdlc.py), values (drivers/dlms_values.py), decryption (drivers/gcm.py,
imported only when a key is configured). Source: DLMS UA 1000-2 Ed. 10, 9.3.10 and 9.2.

    E6 E7 00 | 0F | invoke id 4 | date-time | data            data-notification
    E6 E7 00 | DB | 08 title | length | security 1 counter 4 | cipher text [tag 12]

Options: "key" and "auth_key", 32 hexadecimal digits each: general-glo-ciphering, AES-128-GCM; with
"auth_key" the tag is checked. "size": the longest notification in bytes (default 1024).
"utc_offset_min": of a clock that does not say its own (default 60).
"""

from micropython import const

from drivers.dlms_values import Values
from drivers.errors import BadFrame, Refused
from drivers.hdlc import HDLC

_SIZE = const(1024)


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
        self._hdlc = HDLC(2 * size)
        self._message = bytearray(size)
        self._is_desk = table is None
        self._bare = bytearray(size if table is None else 0)
        self._key = _key(options, "key")
        self._auth_key = _key(options, "auth_key")
        self._gcm = None
        if self._key:
            from drivers.gcm import GCM

            self._gcm = GCM(self._key)
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
        self._length = 0
        self._bare_length = 0

    def feed(self, data, start, end, now_ms, emit):
        """Take bytes; emit a reading for each whole notification."""
        hdlc = self._hdlc
        if start == end:
            return self._silence(end, now_ms, emit)
        for i in range(start, end):
            if self._is_desk and not hdlc.is_open and data[i] != 0x7E:
                self._take_bare(data[i])
                continue
            hdlc.put(data[i], i + 1)
            while hdlc.next_frame(i + 1):
                try:
                    self._segment(i + 1, now_ms, emit)
                finally:
                    hdlc.drop()
        return end

    def _silence(self, end, now_ms, emit):
        """End what is half: a bare notification at a desk, or a frame that was cut."""
        length = self._bare_length
        cut = self._hdlc.length
        segments = self._length
        if cut:
            self._drain(end, now_ms, emit)
        self.reset()
        if length and self._is_desk:
            if self._bare[0] not in (0xE6, 0x0F, 0xDB):
                raise BadFrame("%d bytes that are no frame" % length, end)
            self._notify(self._bare, 0, length, end, now_ms, emit)
        if cut or segments:
            raise BadFrame("silence within a frame or between its segments", end)
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

    def _take_bare(self, byte):
        """Keep a byte outside of any frame: at a desk it may be a notification without HDLC."""
        if self._bare_length < len(self._bare):
            self._bare[self._bare_length] = byte
            self._bare_length += 1

    def _segment(self, resume, now_ms, emit):
        """Add the information of the present frame; it is whole when no segment follows."""
        hdlc = self._hdlc
        self._bare_length = 0
        count = hdlc.end - hdlc.start
        if self._length + count > len(self._message):
            self._length = 0
            raise BadFrame("notification longer than %d bytes" % len(self._message), resume)
        for i in range(count):
            self._message[self._length + i] = hdlc.data[hdlc.start + i]
        self._length += count
        if not hdlc.is_segmented:
            length = self._length
            self._length = 0
            self._notify(self._message, 0, length, resume, now_ms, emit)

    def _notify(self, data, start, end, resume, now_ms, emit):
        """Read the notification in data[start:end] and emit its reading."""
        if end - start > 3 and data[start] == 0xE6 and data[start + 1] in (0xE6, 0xE7):
            start += 3
        try:
            if start < end and data[start] == 0xDB:
                data, start, end = self._decrypt(data, start, end, resume)
            if start >= end or data[start] != 0x0F:
                raise ValueError("no data-notification")
            self._values.read(data, start + 5, end)
        except ValueError as why:
            raise BadFrame("DLMS: %s" % why, resume)
        gather = self._values.gather
        if gather.found or self.points:
            emit(gather.finish(now_ms))

    def _decrypt(self, data, start, end, resume):
        """Return (plain text, start, end) of a general-glo-ciphering (9.2.7.2)."""
        at = start + 1
        title = bytes(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
        if at >= end or len(title) != 8:
            raise ValueError("system title of %d bytes" % len(title))
        length = data[at]
        at += 1
        if length & 0x80:
            count = length & 0x7F
            if count > 2 or at + count > end:
                raise ValueError("length of %d bytes" % count)
            length = 0
            for _ in range(count):
                length = (length << 8) | data[at]
                at += 1
        if at + length > end or length < 5:
            raise ValueError("cipher text of %d bytes, %d are here" % (length, end - at))
        if self._gcm is None:
            raise Refused("encrypted: this meter needs its key", 0, resume)
        security = data[at]
        nonce = title + bytes(data[at + 1 : at + 5])
        stop = at + length
        tag = b""
        if security & 0x10:
            stop -= 12
            tag = bytes(data[stop : stop + 12])
        if not security & 0x20:
            return data, at + 5, stop
        text = bytes(data[at + 5 : stop])
        plain = self._gcm.decrypt(nonce, text)
        if tag and self._auth_key:
            extra = bytes((security,)) + self._auth_key
            if self._gcm.tag(nonce, extra, text)[:12] != tag:
                raise ValueError("tag does not match: wrong key or damaged")
        return plain, 0, len(plain)
