"""A firmware by HTTPS, in ranges, over the connection that records go by (agent/poster.py).

Not here: what is done with it (agent/update.py): the same offer, the same pieces with the same
MAC as by MQTT, so that the web server can make none. Loaded where the gateway has a key.

    GET /v1/bundle/<gateway>     Range: bytes=0-959       the offer: at the start, then at times
                                 Range: bytes=at-end      what the update wants, 2048 at most
    206, Eclor-Tag: <32 hex>     the range, and the MAC of that piece (update.py, "chunk")

An offer is asked for in each life, then each six hours. What does not come is asked for again by
the update itself, ever more rarely; a cut connection or a restart goes on at the same byte.
"""

import json

from micropython import const

from agent import http
from agent.mac import TAG_BYTES
from drivers.ticks import ticks_add, ticks_diff

_OFFER_BYTES = const(960)
_PIECE_BYTES = const(2048)
_EVERY_MS = const(21_600_000)


class Fetch:
    """One gateway's. session: agent/poster.Poster, which has is_own(), on_command, on_offer."""

    def __init__(self, gateway, host, session):
        self._path = "/v1/bundle/" + gateway
        self._host = host
        self._session = session
        self._offer_at = None  # None: at once
        self._id = b""
        self._at = self._end = 0  # what is wanted
        self._first = 0  # of the range that was asked for
        self.is_asking = False

    def want(self, payload):
        """Note what an update wants: its message, as it would go by MQTT."""
        tree = json.loads(payload)
        if "want" in tree:
            self._id = bytes.fromhex(tree["want"])
            self._at = tree["at"]
            self._end = self._at + tree["bytes"]

    def is_due(self, now_ms):
        """Tell whether there is something to ask for."""
        at = self._offer_at
        return self._at < self._end or at is None or ticks_diff(now_ms, at) >= 0

    def put(self, out, now_ms):
        """Write the request that is due into out; return its length, 0 when there is none."""
        if not self.is_due(now_ms):
            return 0
        self.is_asking = True
        last = min(self._end, self._at + _PIECE_BYTES) - 1
        if self._at < self._end:
            self._first = self._at
        else:
            self._first = -1
            last = _OFFER_BYTES - 1
            self._offer_at = ticks_add(now_ms, _EVERY_MS)
        return http.get_head(out, self._path, self._host, max(self._first, 0), last)

    def answered(self, status, tag, data, start, end):
        """Take the answer to what was asked for; anything but the range itself is none."""
        self.is_asking = False
        if status != 206 or len(tag) != TAG_BYTES or start == end:
            self._at = self._end = 0  # nothing more until the update asks again
            return
        body = bytes(memoryview(data)[start:end])
        if self._first >= 0:
            self._session.on_command(
                b"\x01" + self._id + self._first.to_bytes(4, "big") + body + tag
            )
            self._at = self._first + len(body)
        elif len(body) == _OFFER_BYTES:
            piece = b"\x01" + body[52:56] + bytes(4) + body + tag
            if self._session.is_own(piece):
                self._session.on_offer(body)
