"""A broker with a collector behind it, in memory and in virtual time, for one Uplink.

    broker = Broker(b"gw")
    pump(uplink, broker, now_ms)         # moves bytes both ways until both are silent

It speaks MQTT through its own small parser, not agent/mqtt.Reader, so that a mistake there is not
answered by the same mistake here. Faults are attributes: `refuse` (CONNACK code), `mute`
(takes bytes, says nothing), `pubacks`, `acks` (False: withheld), `lose_acknowledged` (PUBACK,
not stored).
"""


class Broker:
    """The far end; `stored` maps seq to record, `tags` to what came behind it.

    `arrived` lists every seq in order of arrival.
    """

    def __init__(self, gateway, journal_id=1):
        self._base = b"eclor/1/" + gateway + b"/"
        self._journal_id = journal_id
        self.refuse = 0
        self.mute = False
        self.pubacks = True
        self.acks = True
        self.lose_acknowledged = False
        self.stored = {}
        self.tags = {}  # what came behind each record
        self.arrived = []
        self.topics = []
        self.connected = False
        self.hang_up = False
        self._in = b""
        self.out = b""

    def disconnect(self):
        """Forget the connection, not what was stored."""
        self.connected = False
        self.hang_up = False
        self._in = self.out = b""

    def take(self, data):
        """Bytes from the gateway; answers collect in `out`."""
        self._in += data
        while not self.mute and not self.hang_up:
            packet = self._cut()
            if packet is None:
                return
            self._answer(*packet)

    def send(self, topic, payload):
        """Publish to the gateway at QoS 0."""
        body = len(topic).to_bytes(2, "big") + topic + payload
        size = len(body)
        head = b"\x30"
        while size > 127:
            head += bytes((size & 127 | 128,))
            size >>= 7
        self.out += head + bytes((size,)) + body

    def send_ack(self, seq, journal_id=None):
        """Publish an acknowledgement as the collector does."""
        who = self._journal_id if journal_id is None else journal_id
        self.send(self._base + b"ack", who.to_bytes(4, "big") + seq.to_bytes(4, "big"))

    def contiguous(self):
        """Return the highest seq up to which everything is stored."""
        seq = 0
        while seq + 1 in self.stored:
            seq += 1
        return seq

    def _cut(self):
        length = shift = 0
        at = 1
        while True:
            if at >= len(self._in):
                return None
            length |= (self._in[at] & 127) << shift
            shift += 7
            at += 1
            if not self._in[at - 1] & 128:
                break
        if len(self._in) < at + length:
            return None
        first, body = self._in[0], self._in[at : at + length]
        self._in = self._in[at + length :]
        return first, body

    def _answer(self, first, body):
        kind = first >> 4
        if kind == 1:
            self.out += bytes((0x20, 2, 0, self.refuse))
            self.connected = not self.refuse
            self.hang_up = bool(self.refuse)
        elif kind == 8:
            self.out += b"\x90\x04" + body[:2] + b"\x00\x00"
        elif kind == 12:
            self.out += b"\xd0\x00"
        elif kind == 14:  # DISCONNECT: what comes behind it is not looked at
            self.hang_up = True
        elif kind == 3:
            self._publish(first, body)

    def _publish(self, first, body):
        end = 2 + int.from_bytes(body[:2], "big")
        topic = body[2:end]
        self.topics.append(topic[len(self._base) :])
        payload = body[end + 2 :] if first & 6 else body[end:]
        if first & 6 and self.pubacks:
            self.out += b"\x40\x02" + body[end : end + 2]
        if topic == self._base + b"rec" and not self.lose_acknowledged:
            seq = int.from_bytes(payload[4:8], "big")
            self.arrived.append(seq)
            length = 16 + int.from_bytes(payload[2:4], "big")
            if len(payload) > length:
                self.tags[seq] = payload[length:]
                payload = payload[:length]
            self.stored[seq] = payload
            if self.acks:
                self.send_ack(self.contiguous())


def pump(uplink, broker, now_ms):
    """Play the transport: obey `action`, carry bytes both ways until nothing moves."""
    uplink.step(now_ms)
    for _ in range(10000):
        if uplink.action == 1:
            broker.disconnect()
            uplink.opened(now_ms)
        elif uplink.action == 2:
            broker.disconnect()
            uplink.closed(now_ms, "closed")
            return
        length = uplink.output()
        if length:
            broker.take(bytes(uplink.out[:length]))
            uplink.sent(now_ms)
        answer = broker.out
        broker.out = b""
        if answer:
            uplink.received(answer, 0, len(answer), now_ms)
        if broker.hang_up:
            broker.disconnect()
            uplink.closed(now_ms, "end of stream")
            return
        if not length and not answer and uplink.action == 0:
            return
