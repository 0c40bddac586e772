"""A collector's HTTPS endpoint in memory and in virtual time, for one Poster; no TLS.

It reads HTTP through its own few lines, not agent/http.Reader. Use it with tests.fakes.broker's
pump(). Faults are attributes: `mute` (takes bytes, says nothing), `status` (of every answer),
`acks` (False: 204), `closes` (Connection: close), `lose_answers` (stores, hangs up),
`bundle` (what is fetched by ranges, from whoever has `key`), `cut_after` (bytes of the next range
after which it hangs up).
"""

from agent.mac import Mac


class WebCollector:
    """The far end; `stored` maps seq to record, `posts` lists (path, body)."""

    def __init__(self, journal_id=1, tag=lambda body: b""):
        self._journal_id = journal_id
        self._tag = tag
        self.status = 200
        self.mute = False
        self.acks = True
        self.closes = False
        self.lose_answers = 0
        self.stored = {}
        self.arrived = []
        self.posts = []
        self.bundle = b""
        self.key = b""
        self.ranges = []  # (first, last) of each GET
        self.cut_after = None
        self.connections = 0
        self.hang_up = False
        self.out = b""
        self._in = b""

    def disconnect(self):
        """Forget the connection, not what was stored."""
        self.connections += 1
        self.hang_up = False
        self._in = self.out = b""

    def take(self, data):
        """Bytes from the gateway; answers collect in `out`."""
        self._in += data
        while not self.mute:
            end = self._in.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self._in[:end].split(b"\r\n")
            size = 0
            for line in lines[1:]:
                name, value = line.split(b":", 1)
                if name.lower() == b"content-length":
                    size = int(value)
            if len(self._in) < end + 4 + size:
                return
            body = self._in[end + 4 : end + 4 + size]
            self._in = self._in[end + 4 + size :]
            method, path, _ = lines[0].split()
            if method == b"GET":
                self._give(lines)
            else:
                self._answer(path.decode(), body)

    def _give(self, lines):
        """Answer a GET with a range."""
        wanted = next(line for line in lines if line.lower().startswith(b"range: bytes="))
        first, last = [int(number) for number in wanted.split(b"=")[1].split(b"-")]
        self.ranges.append((first, last))
        data = self.bundle[first : last + 1]
        if not data:
            self.out += b"HTTP/1.1 204 No Content\r\n\r\n"
            return
        piece = b"\x01" + self.bundle[52:56] + first.to_bytes(4, "big") + data
        tag = "".join(["%02x" % byte for byte in Mac(self.key).tag(b"chunkgw", piece)])
        head = "HTTP/1.1 206 Partial Content\r\nEclor-Tag: %s\r\nContent-Length: %d\r\n\r\n"
        answer = (head % (tag, len(data))).encode() + data
        if self.cut_after is not None:
            answer = answer[: self.cut_after]
            self.cut_after = None
            self.hang_up = True
        self.out += answer

    def _answer(self, path, body):
        self.posts.append((path, body))
        if self.status != 200:
            self.out += b"HTTP/1.1 %d No\r\nContent-Length: 3\r\n\r\nno\n" % self.status
            return
        at = 0
        while at < len(body) and "/blocks/" in path:
            size = body[at] << 8 | body[at + 1]
            record = body[at + 2 : at + 2 + size]
            at += 2 + size
            seq = int.from_bytes(record[4:8], "big")
            self.arrived.append(seq)
            self.stored[seq] = record
        if self.lose_answers:
            self.lose_answers -= 1
            self.hang_up = True
            return
        through = 0
        while through + 1 in self.stored:
            through += 1
        close = b"Connection: close\r\n" if self.closes else b""
        if not self.acks or not through:
            self.out += b"HTTP/1.1 204 No Content\r\n" + close + b"\r\n"
            return
        ack = self._journal_id.to_bytes(4, "big") + through.to_bytes(4, "big")
        ack += self._tag(ack)
        self.out += b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n" + close
        self.out += b"content-length: %d\r\n\r\n" % len(ack) + ack
