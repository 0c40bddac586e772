"""MQTT 3.1.1 packets to and from bytes, for a publishing gateway.

Not here: sockets, sessions, retries (agent/uplink.py decides those), QoS 2, and MQTT 5.
Source: OASIS MQTT Version 3.1.1, 29 October 2014; sections are cited as "3.3.1".

    out = bytearray(256)
    length = connect(out, b"gw-ecole", 60)
    reader = Reader(512, lambda kind, flags, data, start, end: None)
    reader.feed(b"\\x20\\x02\\x00\\x00", 0, 4)      # calls it with CONNACK, 0, data, 0, 2

Writers fill `out` from index 0 and return the length of one whole packet; the caller owns the
buffer. A packet that does not fit raises ValueError before anything is sent.
"""

from micropython import const

CONNECT = const(1)
CONNACK = const(2)
PUBLISH = const(3)
PUBACK = const(4)
SUBSCRIBE = const(8)
SUBACK = const(9)
PINGREQ = const(12)
PINGRESP = const(13)
DISCONNECT = const(14)

# 3.2.2.3: what each CONNACK return code says.
REFUSALS = (
    "accepted",
    "protocol version not accepted",
    "client identifier rejected",
    "server unavailable",
    "bad user name or password",
    "not authorised",
)
UNAVAILABLE = const(3)  # the one refusal that time alone may heal

_CLEAN_SESSION = const(0x02)
_WILL_QOS1_RETAIN = const(0x2C)  # will flag, will QoS 1, will retain
_PASSWORD = const(0x40)
_USER = const(0x80)
_LENGTH_BYTES_MAX = const(4)  # 2.2.3

# What a server may send to a client that uses QoS 0 and 1: kind -> the flags it must have, 2.2.2.
_EXPECTED = (
    (CONNACK, 0, 2, 2),  # kind, flags, shortest body, longest body
    (PUBACK, 0, 2, 2),
    (SUBACK, 0, 3, 10),
    (PINGRESP, 0, 0, 0),
)


class Malformed(Exception):
    """The peer does not speak MQTT 3.1.1 as agreed: close the connection (4.8)."""


def length_size(length):
    """Return how many bytes the remaining length field takes, 1 .. 4 (2.2.3)."""
    if length < 0 or length > 268435455:
        raise ValueError("remaining length %d, 0 .. 268435455 can be sent" % length)
    size = 1
    while length > 127:
        length >>= 7
        size += 1
    return size


def put_length(out, at, length):
    """Write the remaining length at index at; return the index after it (2.2.3)."""
    while length > 127:
        out[at] = (length & 0x7F) | 0x80
        length >>= 7
        at += 1
    out[at] = length
    return at + 1


def _put_text(out, at, text):
    """Write a length-prefixed string given as bytes (1.5.3); return the index after it."""
    out[at] = len(text) >> 8
    out[at + 1] = len(text) & 0xFF
    at += 2
    out[at : at + len(text)] = text
    return at + len(text)


def _start(out, first, body):
    """Write the fixed header of a packet whose body takes that many bytes."""
    if 1 + length_size(body) + body > len(out):
        raise ValueError("packet of %d bytes, buffer of %d" % (body + 5, len(out)))
    out[0] = first
    return put_length(out, 1, body)


def connect(out, client_id, keepalive_s, login=(b"", b""), will=None):
    """Write CONNECT with a clean session (3.1).

    client_id: bytes, up to 65535. login: (user, password); an empty user sends neither.
    keepalive_s: 0 .. 65535. will: None or (topic, payload), retained at QoS 1.
    """
    user, password = login
    flags = _CLEAN_SESSION
    body = 10 + 2 + len(client_id)
    if will:
        flags |= _WILL_QOS1_RETAIN
        body += 4 + len(will[0]) + len(will[1])
    if user:
        flags |= _USER | _PASSWORD
        body += 4 + len(user) + len(password)
    at = _start(out, CONNECT << 4, body)
    at = _put_text(out, at, b"MQTT")
    out[at] = 4  # protocol level of 3.1.1
    out[at + 1] = flags
    out[at + 2] = keepalive_s >> 8
    out[at + 3] = keepalive_s & 0xFF
    at = _put_text(out, at + 4, client_id)
    if will:
        at = _put_text(out, at, will[0])
        at = _put_text(out, at, will[1])
    if user:
        at = _put_text(out, at, user)
        at = _put_text(out, at, password)
    return at


def publish_head(out, topic, payload_length, packet_id=0, retain=False):
    """Write everything of PUBLISH up to its payload; return the index where that begins (3.3).

    packet_id 0 sends QoS 0, 1 .. 65535 QoS 1. DUP is never set: each session is clean.
    """
    body = 2 + len(topic) + (2 if packet_id else 0) + payload_length
    first = PUBLISH << 4 | (1 if retain else 0)
    if packet_id:
        first |= 0x02
    out[0] = first
    at = _put_text(out, put_length(out, 1, body), topic)
    if packet_id:
        out[at] = packet_id >> 8
        out[at + 1] = packet_id & 0xFF
        at += 2
    return at


def publish(out, topic, payload, packet_id=0, retain=False):
    """Write a whole PUBLISH; see publish_head."""
    body = 4 + len(topic) + len(payload)
    if 1 + length_size(body) + body > len(out):
        raise ValueError("payload of %d bytes, buffer of %d" % (len(payload), len(out)))
    at = publish_head(out, topic, len(payload), packet_id, retain)
    out[at : at + len(payload)] = payload
    return at + len(payload)


def subscribe(out, packet_id, topics):
    """Write SUBSCRIBE for these topics, each at QoS 0 (3.8)."""
    body = 2
    for topic in topics:
        body += 3 + len(topic)
    at = _start(out, SUBSCRIBE << 4 | 2, body)
    out[at] = packet_id >> 8
    out[at + 1] = packet_id & 0xFF
    at += 2
    for topic in topics:
        at = _put_text(out, at, topic)
        out[at] = 0
        at += 1
    return at


def bare(out, kind):
    """Write PINGREQ or DISCONNECT (3.12, 3.14)."""
    return _start(out, kind << 4, 0)


class Reader:
    """Bytes from the broker to packets, at any split; those of usual length allocate nothing.

    on_packet(kind, flags, data, start, end) is called for each whole packet: the body is
    data[start:end], valid until it returns. Bodies above most_bytes raise Malformed, so that a
    rogue broker cannot fill the memory; so does everything a broker may not send. A body above
    usual_bytes gets memory of its own while it comes.
    """

    def __init__(self, most_bytes, on_packet, usual_bytes=None):
        self._most = most_bytes
        self._usual = bytearray(usual_bytes or most_bytes)
        self._on_packet = on_packet
        self.reset()

    def reset(self):
        """Forget a part of a packet (a new connection)."""
        self._first = -1  # the fixed header's first byte, -1 before it came
        self._length = 0
        self._shift = 0
        self._in_body = False
        self._have = 0
        self._body = self._usual

    def feed(self, data, start, end):
        """Take data[start:end]. Raises Malformed; the reader is then of no use until reset()."""
        at = start
        while at < end:
            byte = data[at]
            at += 1
            if self._first < 0:
                self._first = byte
            elif not self._in_body:
                self._take_length(byte)
            else:
                self._body[self._have] = byte
                self._have += 1
            if self._in_body and self._have == self._length:
                self._finish()

    def _take_length(self, byte):
        self._length |= (byte & 0x7F) << self._shift
        self._shift += 7
        if byte & 0x80:
            if self._shift >= 7 * _LENGTH_BYTES_MAX:
                raise Malformed("remaining length of more than 4 bytes")
            return
        if self._length > self._most:
            raise Malformed("packet of %d bytes, %d taken" % (self._length, self._most))
        if self._length > len(self._body):
            self._body = bytearray(self._length)
        self._in_body = True

    def _finish(self):
        first = self._first
        length = self._length
        body = self._body
        self.reset()
        check_packet(first, body, length)
        self._on_packet(first >> 4, first & 0x0F, body, 0, length)


def check_packet(first, body, length):
    """Raise Malformed unless a broker may send this packet to us."""
    kind = first >> 4
    flags = first & 0x0F
    if kind == PUBLISH:
        if flags & 0x06:
            raise Malformed("PUBLISH of QoS %d, subscribed at 0" % (flags >> 1 & 3))
        topic = (body[0] << 8 | body[1]) if length >= 2 else length
        if topic == 0 or 2 + topic > length:
            raise Malformed("PUBLISH with a topic of %d bytes in %d" % (topic, length))
        return
    for expected, wanted, shortest, longest in _EXPECTED:
        if kind == expected:
            if flags != wanted or not shortest <= length <= longest:
                raise Malformed("packet kind %d: flags %d, %d bytes" % (kind, flags, length))
            return
    raise Malformed("packet kind %d is not for a client" % kind)
