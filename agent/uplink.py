"""The session with the broker: records up, acknowledgements down, by MQTT.

Not here: when a connection is opened and given up (agent/session.py), sockets, TLS, names
(firmware/ obeys `action`), packets (agent/mqtt.py), what is stored (agent/journal.py). Topics and
payloads: agent/README.md.

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

from agent import mqtt
from agent.mac import TAG_BYTES
from agent.session import CLOSING, GREETING, ONLINE, RECORD_MAX, SUBSCRIBING, Session
from agent.topics import Topics, is_topic
from drivers.ticks import ticks_diff

_INBOUND_MAX = const(4096)  # a configuration travels in one command
_INBOUND_USUAL = const(512)  # acknowledgements, and most commands


class Uplink(Session):
    """One gateway's session. `out` is lent to the transport until the next output().

    settings: config["uplink"]; journal: agent/journal.Journal; identity: dict with gateway,
    board, version, runtime, boot; random(n): int in [0, n). Optional settings: `ahead` (records
    beyond the last acknowledgement, 8 times the window), `acknowledge` ("application" or
    "puback": for platforms without our collector, knowingly weaker), `key` (64 hex digits: then
    acknowledgements must carry a MAC and records bear one, so that a broker can neither make the
    gateway forget readings nor have others stored in their place).
    """

    def __init__(self, settings, journal, identity, random):
        super().__init__(settings, journal, identity, random)
        self._topics = Topics(identity["gateway"])
        # Fixed header (1 + 2), topic, packet identifier: where a record lies in `out`.
        self._record_at = 3 + 2 + len(self._topics.rec) + 2
        self.out = bytearray(self._record_at + RECORD_MAX + (TAG_BYTES if self.mac else 0))
        self._record = memoryview(self.out)[self._record_at :]
        self._reader = mqtt.Reader(_INBOUND_MAX, self._on_packet, _INBOUND_USUAL)
        self._keepalive_ms = settings.get("keepalive_s", 60) * 1000
        self._last_id = 0
        self._todo = []  # what writes the session's next packets
        self._is_pinging = False
        self._result_id = 0  # of the packet that bears the first result, 0: it is not on its way
        self._asleep_s = 0
        self._forget_session(0)

    def _greet(self):
        self._todo.append(self._put_connect)

    def _owes(self):
        return self._flight.waiting or self._is_pinging or self._result_id

    def _forget(self):
        self._reader.reset()
        self._is_pinging = False
        self._result_id = 0
        self._todo.clear()

    # -- what goes out -------------------------------------------------------------------------

    def _next_output(self):
        if self._step == ONLINE:
            return self._next_online()
        return self._todo.pop(0)() if self._todo else 0

    def _next_online(self):
        """Session packets first, then results, an update's want, live values, records last."""
        if self._todo:
            return self._todo.pop(0)()
        if self._results and not self._result_id:
            return self._put_result()
        if self._want is not None:
            payload = self._want
            self._want = None
            return self._put(self._topics.result, payload, 0)
        budget = self.budget
        if self._state is not None:
            payload = self._state
            self._state = None
            if len(payload) <= RECORD_MAX and (not budget or budget.may_send_live):
                return self._put(self._topics.state, payload, 0)
            self.counters["states_dropped"] += 1
        if budget and not budget.may_send_records:
            return 0
        return self._next_record()

    def _put_connect(self):
        settings = self._settings
        login = (settings.get("user", "").encode(), settings.get("password", "").encode())
        will = (self._topics.will, b'{"online": false}')
        return mqtt.connect(self.out, self._client, self._keepalive_ms // 1000, login, will)

    def _put_subscribe(self):
        return mqtt.subscribe(self.out, self._take_id(), (self._topics.ack, self._topics.cmd))

    def _put_birth(self):
        payload = self.birth()
        if self.mac:
            payload += self.mac.tag(b"birth" + self._client, payload)
        return self._whole(self._topics.birth, payload, True)

    def _put_online(self):
        return self._whole(self._topics.will, b'{"online": true}', True)

    def _say_goodbye(self, seconds):
        self._asleep_s = seconds
        self._todo.append(self._put_asleep)
        self._todo.append(self._put_goodbye)

    def _put_asleep(self):
        payload = b'{"online": false, "asleep_s": %d}' % self._asleep_s
        return self._whole(self._topics.will, payload, True)

    def _put_goodbye(self):
        return mqtt.bare(self.out, mqtt.DISCONNECT)

    def _put_result(self):
        """Publish the first result; it is repeated in the next session unless a PUBACK comes."""
        self._result_id = self._take_id()
        self._ask()
        return self._put(self._topics.result, self._results[0], self._result_id)

    def _ask(self):
        """Note that the peer owes an answer."""
        if self._asked_at is None:
            self._asked_at = self._now

    def _put_ping(self):
        self._ask()
        return mqtt.bare(self.out, mqtt.PINGREQ)

    def _whole(self, topic, payload, retain):
        """Publish at QoS 1 outside the window; a payload beyond out goes in several writes."""
        return self._put(topic, payload, self._take_id(), retain)

    def _put(self, topic, payload, packet_id, retain=False):
        if len(payload) <= len(self.out) - len(topic) - 9:
            return mqtt.publish(self.out, topic, payload, packet_id, retain)
        self._long = payload
        return mqtt.publish_head(self.out, topic, len(payload), packet_id, retain)

    def _next_record(self):
        """Put the next durable record into out, when the flight allows one more."""
        packet_id = self._take_id()
        length = self._flight.read(self._record, packet_id, self._now)
        if not length:
            return 0
        self._ask()
        if self.mac:
            tag = self.mac.tag(b"rec" + self._client, self._record[:length])
            self._record[length : length + TAG_BYTES] = tag
            length += TAG_BYTES
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
            if not self._is_taken(self._last_id):
                return self._last_id

    def _is_taken(self, packet_id):
        return packet_id == self._result_id or self._flight.has(packet_id)

    # -- what comes in -------------------------------------------------------------------------

    def _take(self, data, start, end):
        try:
            self._reader.feed(data, start, end)
        except mqtt.Malformed as error:
            self._broke(error)

    def _on_packet(self, kind, flags, data, start, end):
        if self._step == CLOSING:
            return
        if kind == mqtt.PUBLISH and self._step >= SUBSCRIBING:
            self._on_publish(data, start, end)
        elif kind == mqtt.PUBACK and self._step == ONLINE:
            self._on_puback(data[start] << 8 | data[start + 1])
        elif kind == mqtt.PINGRESP and self._step == ONLINE:
            self._is_pinging = False
        elif kind == mqtt.CONNACK and self._step == GREETING:
            self._on_connack(data[start + 1])
        elif kind == mqtt.SUBACK and self._step == SUBSCRIBING:
            self._on_suback(data, start + 2, end)
        else:
            raise mqtt.Malformed("packet kind %d while %s" % (kind, self.state))

    def _on_connack(self, code):
        if code:
            known = code < len(mqtt.REFUSALS)
            why = mqtt.REFUSALS[code] if known else "code %d" % code
            self._refused(why, code != mqtt.UNAVAILABLE)
            return
        self._step = SUBSCRIBING
        self._todo.append(self._put_subscribe)

    def _on_suback(self, data, start, end):
        for i in range(start, end):
            if data[i] & 0x80:
                self._refused("subscription to %s" % self._topics.ack.decode(), True)
                return
        self._go_online()
        self._welcome()

    def _welcome(self):
        """Say who this is, first of all."""
        self._todo.append(self._put_birth)
        self._todo.append(self._put_online)

    def _on_publish(self, data, start, end):
        at = start + 2
        topic_end = at + (data[start] << 8 | data[start + 1])
        if is_topic(data, at, topic_end, self._topics.ack):
            self._on_ack(data, topic_end, end)
        elif is_topic(data, at, topic_end, self._topics.cmd) and topic_end < end:
            self.on_command(bytes(memoryview(data)[topic_end:end]))

    def _on_puback(self, packet_id):
        if packet_id and packet_id == self._result_id:
            self._result_id = 0
            self._results.pop(0)
        elif self._flight.on_puback(packet_id, self._now):
            self.counters["pubacks"] += 1

    # -- watching ------------------------------------------------------------------------------

    def _look_after(self, now_ms):
        """Ping in time: the broker drops who is silent for one and a half keep-alives."""
        quiet_ms = self._keepalive_ms * 3 // 4
        if quiet_ms and not self._is_pinging:
            silent_ms = ticks_diff(now_ms, self._heard)
            if silent_ms >= quiet_ms or ticks_diff(now_ms, self._last_sent) >= quiet_ms:
                self._is_pinging = True
                self._todo.append(self._put_ping)
