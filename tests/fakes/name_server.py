"""A name server that fails on purpose: its answers as bytes, and a UDP server that sends them.

    data = answer(query, [("broker.example", 1, 300, "192.0.2.7")])
    with NameServer({"broker.example": "127.0.0.1"}) as server:      # CPython only
        server.mute = True

A record is (owner, type, ttl_s, content): an address for type 1, a name for type 5, bytes for
any other. Names are written out, not compressed; `pointer` makes the owners pointers to the
question.
"""


def name(text):
    """Return a name in its wire form."""
    out = b""
    for label in text.split("."):
        out += bytes((len(label),)) + label.encode()
    return out + b"\x00"


def answer(query, records, code=0, pointer=False):
    """Return the answer to a query."""
    out = bytes(query[:2]) + bytes((0x81, 0x80 | code)) + b"\x00\x01"
    out += len(records).to_bytes(2, "big") + b"\x00\x00\x00\x00" + bytes(query[12:])
    for owner, kind, ttl_s, content in records:
        data = content
        if kind == 1:
            data = bytes(int(part) for part in content.split("."))
        elif kind == 5:
            data = name(content)
        out += b"\xc0\x0c" if pointer else name(owner)
        out += kind.to_bytes(2, "big") + b"\x00\x01" + ttl_s.to_bytes(4, "big")
        out += len(data).to_bytes(2, "big") + data
    return out


def asked(query):
    """Return the name a query asks for."""
    labels = []
    at = 12
    while query[at]:
        labels.append(bytes(query[at + 1 : at + 1 + query[at]]).decode())
        at += 1 + query[at]
    return ".".join(labels)


class NameServer:
    """Answers on 127.0.0.1 from a dict of names to addresses; unknown names get code 3."""

    def __init__(self, known):
        import socket
        import threading

        self.known = known
        self.mute = False
        self.queries = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.text = "127.0.0.1:%d" % self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _run(self):
        while True:
            try:
                query, who = self._socket.recvfrom(512)
            except OSError:
                return
            self.queries += 1
            if self.mute:
                continue
            host = asked(query)
            found = self.known.get(host)
            records = [(host, 1, 300, found)] if found else []
            self._socket.sendto(answer(query, records, 0 if found else 3), who)
