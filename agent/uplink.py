"""The session with the broker as a state machine: records up, acknowledgements down.

Not here: sockets, TLS, DNS (firmware/link.py obeys `action`), packets (agent/mqtt.py), what is
stored (agent/journal.py). Topics and payloads: agent/README.md.

Two acknowledgements, and only one frees flash. PUBACK says that the broker took a record; a
killed broker forgets some of those (mosquitto: 4 of 2,000). It only opens the window. The `ack`
topic says that the collector's database committed: only that trims the journal. At most `ahead`
records are on their way beyond the last `ack`, so a reconnection repeats a bounded number, and
the rest waits where it is safest: in flash. When acknowledgements stall for 30 s, all of them
are sent again, then after 60 s, 120 s ... one hour; the collector deduplicates.

Order: records leave oldest first, because an acknowledgement means "everything through". Live
values do not queue behind a backlog: `state` goes before records, and only the newest is kept.

    uplink = Uplink(config["uplink"], journal, identity, random)
    wait_ms = uplink.step(now_ms)
    if uplink.action == OPEN: ...                     # then opened() or closed()
    length = uplink.output()                          # one write per packet
    while length:
        sock.write(memoryview(uplink.out)[:length]); uplink.sent(now_ms); length = uplink.output()
"""

from micropython import const

from agent import mac, mqtt
from agent.backoff import Backoff
from agent.flight import Flight
from agent.topics import Topics, is_topic
from drivers.ticks import ticks_add, ticks_diff

NOTHING = const(0)
OPEN = const(1)
CLOSE = const(2)

_RECORD_MAX = const(4016)  # agent/README.md, the record
_INBOUND_MAX = const(4096)  # a configuration travels in one command
_CONNECT_MS = const(30000)  # TCP, TLS and CONNACK must be through by then
_ANSWER_MS = const(20000)  # a broker that owes an answer and says nothing this long is gone
_ACK_BYTES = const(8)
_STATE_WAIT_MS = const(1000)  # longest sleep of the transport while online

# Steps of a session; the text is what health shows.
_OFFLINE = const(0)
_CONNECTING = const(1)
_GREETING = const(2)
_SUBSCRIBING = const(3)
_ONLINE = const(4)
_CLOSING = const(5)
_COUNTERS = (
    "sessions",
    "published",
    "repeated",
    "pubacks",
    "acks",
    "acks_refused",
    "refused",
    "malformed",
    "half_open",
    "states_dropped",
    "bytes_out",
    "bytes_in",
)
_NAMES = ("offline", "connecting", "greeting", "subscribing", "online", "closing")


class Uplink:
    """One gateway's session. `out` is lent to the transport until the next output().

    settings: config["uplink"]; journal: agent/journal.Journal; identity: dict with gateway,
    board, version, runtime, boot; random(n): int in [0, n). Optional settings: `ahead` (records
    beyond the last acknowledgement, 8 times the window), `acknowledge` ("application" or
    "puback": for platforms without our collector, knowingly weaker), `key` (64 hex digits: then
    acknowledgements must carry a MAC, and a broker cannot make the gateway forget readings).
    """

    def __init__(self, settings, journal, identity, random):
        self._settings = settings
        self._journal = journal
        self._client = identity["gateway"].encode()
        self._topics = Topics(identity["gateway"])
        # Fixed header (1 + 2), topic, packet identifier: where a record lies in `out`.
        self._record_at = 3 + 2 + len(self._topics.rec) + 2
        self.out = bytearray(self._record_at + _RECORD_MAX)
        self._record = memoryview(self.out)[self._record_at :]
        self._reader = mqtt.Reader(_INBOUND_MAX, self._on_packet)
        self._backoff = Backoff(random)
        self._keepalive_ms = settings.get("keepalive_s", 60) * 1000
        window = settings.get("window", 8)
        ahead = settings.get("ahead", 8 * window)
        by_puback = settings.get("acknowledge", "application") == "puback"
        self._flight = Flight(journal, window, ahead, by_puback)
        key = bytes.fromhex(settings.get("key", ""))
        self._mac = mac.Mac(key) if key else None
        self._last_id = self._long_at = 0
        self._long = b""
        self._results = []
        self._state = None
        self.birth = lambda: b"{}"
        self.on_command = lambda payload: None
        self.action = NOTHING
        self.why = ""
        self.last_ack_ms = None
        self.counters = dict.fromkeys(_COUNTERS, 0)
        self._todo = []  # what writes the session's next packets
        self._asked_at = None  # since when the broker owes an answer, None: it owes nothing
        self._is_pinging = False
        self._step = _OFFLINE
        self._until = None  # None: at once
        self._hopeless = False
        self._forget_session(0)

    @property
    def state(self):
        """The step of the session as text, with the reason of the last end when offline."""
        if self._step == _OFFLINE and self.why:
            return "offline: " + self.why
        return _NAMES[self._step]

    @property
    def in_flight(self):
        """How many records wait for their PUBACK."""
        return self._flight.waiting

    @property
    def acked(self):
        """The last seq that the collector has stored."""
        return self._journal.acked

    # -- what the transport says ---------------------------------------------------------------

    def step(self, now_ms):
        """Decide; return the ms until the next call at the latest."""
        self._now = now_ms
        if self._step == _OFFLINE:
            wait = 0 if self._until is None else ticks_diff(self._until, now_ms)
            if wait > 0:
                return wait
            self._step = _CONNECTING
            self.action = OPEN
            self._until = ticks_add(now_ms, _CONNECT_MS)
            return _CONNECT_MS
        if self._step == _CLOSING:
            return _STATE_WAIT_MS
        if self._step != _ONLINE:
            wait = ticks_diff(self._until, now_ms)
            if wait <= 0:
                self._close("no answer within %d s while %s" % (_CONNECT_MS // 1000, self.state))
                return 0
            return wait
        return self._watch(now_ms)

    def opened(self, now_ms):
        """The transport is connected (TCP, and TLS when asked for)."""
        if self._step != _CONNECTING:
            return
        self.action = NOTHING
        self._step = _GREETING
        self._forget_session(now_ms)
        self._todo.append(self._put_connect)
        self._until = ticks_add(now_ms, _CONNECT_MS)

    def closed(self, now_ms, why):
        """The transport is closed, or could not open; why: text for the health record."""
        if self._step == _OFFLINE:
            return
        if self._step != _CLOSING:
            self.why = why
        if self._step >= _GREETING:
            self._backoff.ended(ticks_diff(now_ms, self._since))
        self._step = _OFFLINE
        self.action = NOTHING
        self._until = ticks_add(now_ms, self._backoff.wait_ms(self._hopeless))
        self._hopeless = False
        self._forget_session(now_ms)

    def received(self, data, start, end, now_ms):
        """Take bytes of the broker; a broker that breaks the protocol is closed."""
        if self._step < _GREETING or self._step == _CLOSING:
            return
        self._now = now_ms
        self._heard = now_ms
        self.counters["bytes_in"] += end - start
        try:
            self._reader.feed(data, start, end)
        except mqtt.Malformed as error:
            self.counters["malformed"] += 1
            self._close("broker: %s" % error)
            return
        # Whatever came proves that the broker lives; what it still owes is awaited anew.
        owes = self._flight.waiting or self._is_pinging
        self._asked_at = now_ms if owes else None

    def publish_state(self, payload):
        """Send live values once; a newer one replaces one that has not left yet."""
        if self._step != _ONLINE or self._state is not None:
            self.counters["states_dropped"] += 1
        self._state = payload if self._step == _ONLINE else None

    def publish_result(self, payload):
        """Send the result of a command (topic `result`, QoS 1) in this session, in order."""
        self._results.append(payload)
        del self._results[:-8]

    # -- what goes out -------------------------------------------------------------------------

    def output(self):
        """Write the next packet into out; return its length, 0 when there is nothing to send."""
        length = self._next_output()
        self.counters["bytes_out"] += length
        self.counters["published"] = self._flight.published
        self.counters["repeated"] = self._flight.repeated
        return length

    def sent(self, now_ms):
        """The bytes of the last output() are with the transport."""
        self._last_sent = now_ms

    def _next_output(self):
        if self._long:
            return self._more()
        if self._step == _ONLINE:
            return self._next_online()
        return self._todo.pop(0)() if self._todo else 0

    def _next_online(self):
        """Session packets first, then commands' results, live values, and records last."""
        if self._todo:
            return self._todo.pop(0)()
        if self._results:
            return self._whole(self._topics.result, self._results.pop(0), False)
        if self._state is not None:
            payload = self._state
            self._state = None
            if len(payload) <= _RECORD_MAX:
                return mqtt.publish(self.out, self._topics.state, payload)
            self.counters["states_dropped"] += 1
        return self._next_record()

    def _put_connect(self):
        settings = self._settings
        login = (settings.get("user", "").encode(), settings.get("password", "").encode())
        will = (self._topics.will, b'{"online": false}')
        return mqtt.connect(self.out, self._client, self._keepalive_ms // 1000, login, will)

    def _put_subscribe(self):
        return mqtt.subscribe(self.out, self._take_id(), (self._topics.ack, self._topics.cmd))

    def _put_birth(self):
        return self._whole(self._topics.birth, self.birth(), True)

    def _put_online(self):
        return self._whole(self._topics.will, b'{"online": true}', True)

    def _put_ping(self):
        if self._asked_at is None:
            self._asked_at = self._now
        return mqtt.bare(self.out, mqtt.PINGREQ)

    def _whole(self, topic, payload, retain):
        """Publish at QoS 1 outside the window; a payload beyond out goes in several writes."""
        packet_id = self._take_id()
        if len(payload) <= len(self.out) - self._record_at - 8:
            return mqtt.publish(self.out, topic, payload, packet_id, retain)
        self._long = payload
        self._long_at = 0
        return mqtt.publish_head(self.out, topic, len(payload), packet_id, retain)

    def _more(self):
        count = min(len(self.out), len(self._long) - self._long_at)
        self.out[:count] = self._long[self._long_at : self._long_at + count]
        self._long_at += count
        if self._long_at == len(self._long):
            self._long = b""
        return count

    def _next_record(self):
        """Put the next durable record into out, when the flight allows one more."""
        packet_id = self._take_id()
        length = self._flight.read(self._record, packet_id, self._now)
        if not length:
            return 0
        if self._asked_at is None:
            self._asked_at = self._now
        topic = self._topics.rec
        if 2 + len(topic) + 2 + length < 128:  # the length field takes one byte, not two
            out = self.out
            for i in range(self._record_at, self._record_at + length):
                out[i - 1] = out[i]
        return mqtt.publish_head(self.out, topic, length, packet_id) + length

    def _take_id(self):
        """Return a packet identifier that no record in flight has."""
        while True:
            self._last_id = self._last_id % 65535 + 1
            if not self._flight.has(self._last_id):
                return self._last_id

    # -- what comes in -------------------------------------------------------------------------

    def _on_packet(self, kind, flags, data, start, end):
        if self._step == _CLOSING:
            return
        if kind == mqtt.PUBLISH and self._step >= _SUBSCRIBING:
            self._on_publish(data, start, end)
        elif kind == mqtt.PUBACK and self._step == _ONLINE:
            self._on_puback(data[start] << 8 | data[start + 1])
        elif kind == mqtt.PINGRESP and self._step == _ONLINE:
            self._is_pinging = False
        elif kind == mqtt.CONNACK and self._step == _GREETING:
            self._on_connack(data[start + 1])
        elif kind == mqtt.SUBACK and self._step == _SUBSCRIBING:
            self._on_suback(data, start + 2, end)
        else:
            raise mqtt.Malformed("packet kind %d while %s" % (kind, self.state))

    def _on_connack(self, code):
        if code:
            self.counters["refused"] += 1
            self._hopeless = code != mqtt.UNAVAILABLE
            known = code < len(mqtt.REFUSALS)
            self._close("refused: %s" % (mqtt.REFUSALS[code] if known else "code %d" % code))
            return
        self._step = _SUBSCRIBING
        self._todo.append(self._put_subscribe)

    def _on_suback(self, data, start, end):
        for i in range(start, end):
            if data[i] & 0x80:
                self.counters["refused"] += 1
                self._hopeless = True
                self._close("refused: subscription to %s" % self._topics.ack.decode())
                return
        self._step = _ONLINE
        self.why = ""
        self._since = self._now
        self._last_sent = self._now
        self._todo.append(self._put_birth)
        self._todo.append(self._put_online)
        self.counters["sessions"] += 1

    def _on_publish(self, data, start, end):
        at = start + 2
        topic_end = at + (data[start] << 8 | data[start + 1])
        if is_topic(data, at, topic_end, self._topics.ack):
            self._on_ack(data, topic_end, end)
        elif is_topic(data, at, topic_end, self._topics.cmd):
            self.on_command(bytes(memoryview(data)[topic_end:end]))

    def _on_puback(self, packet_id):
        if self._flight.on_puback(packet_id, self._now):
            self.counters["pubacks"] += 1

    def _on_ack(self, data, start, end):
        """Take `ack`: journal id and seq, 4 bytes each, then 16 bytes of MAC when keyed."""
        taken = end - start == _ACK_BYTES + (mac.TAG_BYTES if self._mac else 0)
        if taken and self._mac:
            taken = self._mac.check(b"ack" + self._client, data, start, end)
        if taken:
            numbers = bytes(memoryview(data)[start : start + _ACK_BYTES])
            journal_id = int.from_bytes(numbers[:4], "big")
            seq = int.from_bytes(numbers[4:], "big")
            taken = self._flight.on_stored(journal_id, seq, self._now)
        if not taken:
            self.counters["acks_refused"] += 1
            return
        self.counters["acks"] += 1
        self.last_ack_ms = self._now

    # -- watching ------------------------------------------------------------------------------

    def _watch(self, now_ms):
        """Look after a session on line: silence, keep-alive, stalled acknowledgements."""
        if self._asked_at is not None and ticks_diff(now_ms, self._asked_at) >= _ANSWER_MS:
            self.counters["half_open"] += 1
            self._close("no answer for %d s" % (_ANSWER_MS // 1000))
            return 0
        quiet_ms = self._keepalive_ms * 3 // 4
        if quiet_ms and not self._is_pinging:
            silent_ms = ticks_diff(now_ms, self._heard)
            if silent_ms >= quiet_ms or ticks_diff(now_ms, self._last_sent) >= quiet_ms:
                self._is_pinging = True
                self._todo.append(self._put_ping)
        self._flight.watch(now_ms)
        return _STATE_WAIT_MS

    def _close(self, why):
        self.why = why
        self._step = _CLOSING
        self.action = CLOSE

    def _forget_session(self, now_ms):
        self._now = self._heard = self._since = self._last_sent = now_ms
        self._reader.reset()
        self._flight.reset(now_ms)
        self._asked_at = None
        self._is_pinging = False
        self._todo.clear()
        self._long = b""
        self._state = None
