"""What really goes over the wire: bytes of TLS records, MQTT and acknowledgements, both ways.

A gateway's session and a broker with a collector behind it, TLS 1.2 with mutual certificates
between them, in memory: every byte that one side gives to TCP is counted. `packets` counts the
segments that carry them; each draws one segment without content from the other side at most, so
IP_TCP twice a packet is the most that TCP and IP add while nothing is lost on the way.
"""

import json
import ssl
import tempfile
from pathlib import Path

from agent import mqtt
from agent.record import BLOCK, pack_record
from agent.session import Session
from agent.uplink import Uplink
from drivers.reading import decimal_text
from host_tools.collect.fleet.gateways import POINTS, READINGS, PreparedJournal, prepare_blocks
from tests.fakes.authority import Authority
from tests.fakes.broker import Broker

_IDENTITY = {"gateway": "gw-ecole", "board": "host", "version": "1", "runtime": "x", "boot": 1}
_START_MS = 1_800_000_000_000
IP_TCP = 40  # bytes of the heads of IPv4 and TCP, without options
_SEGMENT = 1460
_TOPIC = b"eclor/1/gw-ecole/senml"


class Pipe:
    """Two TLS ends in memory; `count` is the bytes, `packets` the segments, both ways."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder, "ca")
        server, own = authority.issue("server"), authority.issue("gw")
        here = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        there = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for context, papers in ((here, own), (there, server)):
            context.load_cert_chain(f"{papers}.pem", f"{papers}.key.pem")
            context.load_verify_locations(f"{authority.folder}/ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self._wires = (ssl.MemoryBIO(), ssl.MemoryBIO())
        self._in = (ssl.MemoryBIO(), ssl.MemoryBIO())
        self._ends = (
            here.wrap_bio(self._in[0], self._wires[0], server_hostname="localhost"),
            there.wrap_bio(self._in[1], self._wires[1], server_side=True),
        )
        self.count = self.packets = 0
        done = [False, False]
        while not all(done):
            for side in (0, 1):
                try:
                    self._ends[side].do_handshake()
                    done[side] = True
                except ssl.SSLWantReadError:
                    pass
                self._carry()

    def _carry(self) -> None:
        for side in (0, 1):
            data = self._wires[side].read()
            self.count += len(data)
            self.packets += -(-len(data) // _SEGMENT)
            self._in[1 - side].write(data)

    def pass_on(self, side: int, data: bytes) -> bytes:
        """Send data from one side in one record; return what the other reads."""
        self._ends[side].write(data)
        self._carry()
        out = b""
        while True:
            try:
                out += self._ends[1 - side].read(65536)
            except ssl.SSLWantReadError:
                return out


def run_session(session: Session, broker: Broker, pipe: Pipe, now_ms: int) -> None:
    """Let both talk through the pipe until both are silent."""
    session.step(now_ms)
    while True:
        if session.action == 1:
            session.opened(now_ms)
        length = session.output()
        if length:
            broker.take(pipe.pass_on(0, bytes(session.out[:length])))
        answer, broker.out = broker.out, b""
        if answer:
            answer = pipe.pass_on(1, answer)
            session.received(answer, 0, len(answer), now_ms)
        if not length and not answer:
            return


def blocks_per_reading(count: int) -> tuple[float, float, float]:
    """Return bytes in blocks, acknowledged to the end: of a reading, with TCP/IP, a connection."""
    records = []
    for seq, payload in enumerate(prepare_blocks(count, _START_MS), 1):
        out = bytearray(len(payload) + 16)
        pack_record(out, BLOCK, seq, 1, payload, 0, len(payload))
        records.append(bytes(out))
    journal = PreparedJournal(1, [])
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        session = Uplink({}, journal, _IDENTITY, lambda n: 0)
        broker = Broker(b"gw-ecole")
        run_session(session, broker, pipe, 0)
        begun, packets = pipe.count, pipe.packets
        for record in records:  # one at a time, as a gateway that is on line sends them
            journal._blocks.append(record)
            run_session(session, broker, pipe, 1)
        assert journal.acked == count
        each = (pipe.count - begun) / (count * READINGS)
        heads = 2 * IP_TCP * (pipe.packets - packets) / (count * READINGS)
        return each, each + heads, begun


def messages_per_reading(count: int, form: str) -> tuple[float, float]:
    """Return bytes of a reading sent alone as SenML in "json" or "cbor", and with TCP/IP."""
    out = bytearray(4096)
    with tempfile.TemporaryDirectory() as folder:
        pipe = Pipe(Path(folder))
        begun, packets = pipe.count, pipe.packets
        for row in range(count):
            values = [1_234_567 + row, 12_000 + row % 900, 2300 + row % 23, 6000, 5000]
            pack = _pack(form, _START_MS + row * 10_000, values)
            length = mqtt.publish(out, _TOPIC, pack, 1 + row % 65535)
            pipe.pass_on(0, bytes(out[:length]))
            pipe.pass_on(1, b"\x40\x02\x00\x01")
        each = (pipe.count - begun) / count
        return each, each + 2 * IP_TCP * (pipe.packets - packets) / count


def _pack(form: str, at_ms: int, values: list[int]) -> bytes:
    """Return one SenML pack (RFC 8428; 6 for the labels of CBOR)."""
    rows: list[dict[str, object]] = []
    for (name, unit, exponent, *_), value in zip(POINTS, values, strict=True):
        row: dict[str, object] = {} if rows else {"bn": "gw-ecole/main/", "bt": at_ms / 1000}
        rows.append({**row, "n": name, "u": unit, "v": float(decimal_text(value, exponent))})
    if form == "json":
        return json.dumps(rows, separators=(",", ":")).encode()
    labels = {"bn": -2, "bt": -3, "n": 0, "u": 1, "v": 2}
    return _cbor([{labels[key]: value for key, value in row.items()} for row in rows])


def _cbor(thing: object) -> bytes:
    """Encode what a SenML pack holds (RFC 8949), numbers in the shortest form that is exact."""
    if isinstance(thing, list):
        return _head(4, len(thing)) + b"".join(map(_cbor, thing))
    if isinstance(thing, dict):
        return _head(5, len(thing)) + b"".join(_cbor(k) + _cbor(v) for k, v in thing.items())
    if isinstance(thing, str):
        return _head(3, len(thing)) + thing.encode()
    if isinstance(thing, float) and not thing.is_integer():
        text = decimal = repr(thing)
        places = len(text.partition(".")[2])
        mantissa = int(decimal.replace(".", ""))  # a decimal fraction, tag 4: exact and short
        return b"\xc4\x82" + _cbor(-places) + _cbor(mantissa)
    number = int(thing)  # type: ignore[call-overload]  # an int or a whole float
    return _head(0, number) if number >= 0 else _head(1, -1 - number)


def _head(major: int, value: int) -> bytes:
    if value < 24:
        return bytes((major << 5 | value,))
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 1 << 8 * size:
            return bytes((major << 5 | code,)) + value.to_bytes(size, "big")
    raise ValueError(value)
