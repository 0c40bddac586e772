"""The session with a collector by HTTPS, for networks that let only the web through.

Not here: when a connection is opened and given up (agent/session.py), packets (agent/http.py),
TLS. The far end is host_tools/collect/endpoint.py, whose text says what each status means.

The same records as by MQTT, as many in one POST as fit; the answer, sent after the database's
commit, bears the bytes of topic `ack`, so exactly once holds here too. One POST is under way at
a time. What a POST cannot do is come down: no command reaches the gateway and no live values
leave; `eclor check` says so. A firmware can be fetched (agent/fetch.py). A connection is opened
when there is something to send or to fetch, and closed when it has been idle for 30 s.

    birth      POST /v1/birth/<gateway>       JSON; once in a life, and again when the collector
                                              answers 204: it does not know this journal
    records    POST /v1/blocks/<gateway>      each after its length in two bytes, big-endian
"""

from micropython import const

from agent import http
from agent.session import GREETING, ONLINE, RECORD_MAX, Session
from drivers.ticks import ticks_diff

_AT_ONCE = const(32)  # records in one POST, at most
_BODY_MAX = const(8192)
_HEAD_MAX = const(256)
_IDLE_MS = const(30000)
_BUSY = (429, 503)  # what time alone may heal


class Poster(Session):
    """One gateway's session; as agent/uplink.Uplink, without a window: one POST at a time."""

    def __init__(self, settings, journal, identity, random):
        settings = dict(settings)
        settings["window"] = settings["ahead"] = _AT_ONCE
        settings["acknowledge"] = "application"
        super().__init__(settings, journal, identity, random)
        self._blocks = "/v1/blocks/" + identity["gateway"]
        self._births = "/v1/birth/" + identity["gateway"]
        self._host = settings.get("host", "")
        self.out = bytearray(_HEAD_MAX + _BODY_MAX)
        self._body_at = http.post_head(self.out, self._blocks, self._host, 0)
        self._reader = http.Reader(self._on_answer, self.out)  # free while an answer is awaited
        self._fetch = None
        if self.mac:
            from agent.fetch import Fetch

            self._fetch = Fetch(identity["gateway"], self._host, self)
        self._posted = -1  # records in the POST under way; 0: a birth; -1: none
        self._is_born = False  # in this life
        self._has_served = False  # this connection has answered well
        self._forget_session(0)

    def publish_state(self, payload):
        """Live values have no way out here; journaled ones lose nothing by it."""

    def publish_want(self, payload):
        """Let what an update wants be fetched."""
        if self._fetch:
            self._fetch.want(payload)

    def is_own(self, piece):
        """Tell whether a piece of a firmware ends with its MAC."""
        return self.mac.check(b"chunk" + self._client, piece, 0, len(piece))

    def closed(self, now_ms, why):
        """As Session.closed(); a connection that served is no failure."""
        if self._has_served:
            self._backoff.failures = 0
        super().closed(now_ms, why)

    def _wants(self):
        """Open when there is something to send."""
        if self.budget and not self.budget.may_send_records:
            return False
        if self._fetch and self._fetch.is_due(self._now):
            return True
        return not self._is_born or self._journal.first <= self._journal.durable

    def _greet(self):
        if self._is_born:
            self._go_online()

    def _owes(self):
        return self._posted >= 0 or (self._fetch is not None and self._fetch.is_asking)

    def _forget(self):
        self._reader.reset()
        self._posted = -1
        self._has_served = False
        if self._fetch:
            self._fetch.is_asking = False

    # -- what goes out -------------------------------------------------------------------------

    def _next_output(self):
        if self._owes() or not GREETING <= self._step <= ONLINE:
            return 0
        if not self._is_born:
            return self._put_birth()
        if self._step != ONLINE or (self.budget and not self.budget.may_send_records):
            return 0
        return self._put_records() or self._put_fetch()

    def _put_fetch(self):
        length = self._fetch.put(self.out, self._now) if self._fetch else 0
        if length and self._asked_at is None:
            self._asked_at = self._now
        return length

    def _put_birth(self):
        payload = self.birth()
        self._posted = 0
        self._long = payload
        if self._asked_at is None:
            self._asked_at = self._now
        return http.post_head(self.out, self._births, self._host, len(payload))

    def _put_records(self):
        out = self.out
        at = self._body_at
        count = 0
        while count < _AT_ONCE and at + 2 + RECORD_MAX <= len(out):
            room = memoryview(out)[at + 2 : at + 2 + RECORD_MAX]
            length = self._flight.read(room, count + 1, self._now)
            if not length:
                break
            out[at] = length >> 8
            out[at + 1] = length & 0xFF
            at += 2 + length
            count += 1
        if not count:
            return 0
        http.post_head(out, self._blocks, self._host, at - self._body_at)
        self._posted = count
        if self._asked_at is None:
            self._asked_at = self._now
        return at

    # -- what comes in -------------------------------------------------------------------------

    def _take(self, data, start, end):
        try:
            self._reader.feed(data, start, end)
        except http.Malformed as error:
            self._broke(error)

    def _on_answer(self, status, closes, data, start, end):
        if self._fetch and self._fetch.is_asking:
            self._fetch.answered(status, self._reader.tag, data, start, end)
            self._has_served = True
            if closes:
                self._close("closed by the server")
            return
        if self._posted < 0:
            raise http.Malformed("an answer to nothing")
        if status not in (200, 204):
            self._refused("status %d" % status, status not in _BUSY)
            return
        for packet_id in range(1, self._posted + 1):
            self._flight.on_puback(packet_id, self._now)
        self._is_born = status == 200 or not self._posted
        self._posted = -1
        if self._step == GREETING:
            self._go_online()
        if status == 200:
            self._on_ack(data, start, end)
        self._has_served = True
        if closes:
            self._close("closed by the server")

    # -- watching ------------------------------------------------------------------------------

    def _look_after(self, now_ms):
        """Hang up when there has been nothing to say for a while."""
        if not self._owes() and not self._flight.unacked and not self._wants():
            if ticks_diff(now_ms, self._last_sent) >= _IDLE_MS:
                self._close("idle")
