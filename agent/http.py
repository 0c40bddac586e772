"""HTTP/1.1 for a client that posts, and gets ranges: the head, the answer byte by byte.

Not here: sockets, what is posted (agent/poster.py), chunked bodies, redirects, and anything but
POST and GET. Source: RFC 9112, sections cited as "6.1"; ranges: RFC 9110, 14.

    length = post_head(out, "/v1/blocks/gw", "collector.example", 1234)
    reader = Reader(lambda status, closes, data, start, end: None, bytearray(256))
    reader.feed(data, 0, count)
"""

from micropython import const

_LINE_MAX = const(200)  # what is longer is cut: no field we look at is
_LINES_MAX = const(64)


class Malformed(Exception):
    """The peer does not speak HTTP/1.1 as expected: close the connection."""


def post_head(out, path, host, size):
    """Write the head of a POST with a body of size bytes; its length does not depend on size.

    size: 0 .. 999999. Raises ValueError when out is too small.
    """
    text = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %6d\r\n\r\n" % (path, host, size)
    return _put(out, text)


def get_head(out, path, host, first, last):
    """Write the request for the bytes first .. last of path, last included; return its length."""
    head = "GET %s HTTP/1.1\r\nHost: %s\r\nRange: bytes=%d-%d\r\n\r\n"
    return _put(out, head % (path, host, first, last))


def _put(out, text):
    data = text.encode()
    if len(data) > len(out):
        raise ValueError("head of %d bytes, buffer of %d" % (len(data), len(out)))
    out[: len(data)] = data
    return len(data)


class Reader:
    """Bytes of the server to answers, at any split.

    on_answer(status, closes, data, start, end): the body is data[start:end], valid until it
    returns; closes: the server ends the connection. The body of a refusal (300 and more) is not
    waited for: it is given empty, and the connection is of no use then.
    body: a bytearray that is used while an answer comes, and bounds it.

    tag: of the answer that is given, from its field Eclor-Tag; b"" without
    """

    def __init__(self, on_answer, body):
        self._on_answer = on_answer
        self._line = bytearray(_LINE_MAX)
        self._body = body
        self.reset()

    def reset(self):
        """Forget a part of an answer (a new connection)."""
        self._status = 0  # 0: the status line has not come
        self.tag = b""
        self._size = -1
        self._closes = False
        self._have = 0
        self._lines = 0
        self._in_body = False
        self._is_over = False  # the server closes: what still comes is nothing to us

    def feed(self, data, start, end):
        """Take data[start:end]. Raises Malformed; the reader is then of no use until reset()."""
        for at in range(start, end):
            byte = data[at]
            if self._is_over:
                return
            if self._in_body:
                self._body[self._have] = byte
                self._have += 1
                if self._have == self._size:
                    self._finish()
            elif byte == 10:
                self._end_line()
            elif self._have < _LINE_MAX:
                self._line[self._have] = byte
                self._have += 1

    def _end_line(self):
        line = bytes(memoryview(self._line)[: self._have]).strip()
        self._have = 0
        self._lines += 1
        if self._lines > _LINES_MAX:
            raise Malformed("a head of more than %d lines" % _LINES_MAX)
        if not self._status:
            self._take_status(line)
        elif line:
            self._take_field(line)
        else:
            self._end_head()

    def _take_status(self, line):
        words = line.split(None, 2)
        if len(words) < 2 or words[0][:7] != b"HTTP/1." or not words[1].isdigit():
            raise Malformed("status line %r" % line[:20])
        self._status = int(words[1])
        self._closes = words[0] == b"HTTP/1.0"
        if not 100 <= self._status <= 599:
            raise Malformed("status %d" % self._status)

    def _take_field(self, line):
        at = line.find(b":")
        name, value = line[:at].strip().lower(), line[at + 1 :].strip().lower()
        if name == b"content-length":
            if not value.isdigit() or len(value) > 9 or self._size >= 0:
                raise Malformed("Content-Length %r" % value[:20])
            self._size = int(value)
        elif name == b"transfer-encoding":  # 6.1: then no length is known
            raise Malformed("Transfer-Encoding %r" % value[:20])
        elif name == b"connection" and value == b"close":
            self._closes = True
        elif name == b"eclor-tag":
            try:
                self.tag = bytes.fromhex(str(value, "utf-8"))
            except ValueError:
                raise Malformed("Eclor-Tag %r" % value[:20])

    def _end_head(self):
        if self._status < 200:  # 15.2 of RFC 9110: the answer itself follows
            self.reset()
            return
        if self._status >= 300 or self._status == 204:
            self._size = 0
        if self._size < 0 or self._size > len(self._body):
            raise Malformed("a body of %d bytes, 0 .. %d" % (self._size, len(self._body)))
        self._in_body = True
        if not self._size:
            self._finish()

    def _finish(self):
        status, closes, size, tag = self._status, self._closes, self._size, self.tag
        self.reset()
        self.tag = tag
        self._is_over = closes or status >= 300
        self._on_answer(status, self._is_over, self._body, 0, size)
