"""`make fuzz` for what a network sends: MQTT, HTTP, DNS, SNTP, acknowledgements, commands, AT.

    python -m tests.fuzz_network [--seconds N] [--seed N] [PROTOCOL ...]

Each target is fed good, damaged and random bytes in random pieces. It may raise only its own
error; a whole session may raise nothing, must stay alive, and may free no record without an
acknowledgement under the gateway's key. The same seed makes the same inputs.
"""

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator

import host_tools  # noqa: F401 - gives `micropython` to CPython
from agent import dns, http, mqtt, sntp
from agent.clock import Clock
from agent.commands import Commands, seal
from agent.mac import Mac
from agent.modem import CONNECTED, FAILED, REFUSED, Modem
from agent.poster import Poster
from agent.session import CLOSE, OPEN
from agent.uplink import Uplink
from tests.closing import close
from tests.fakes.journal import MemoryJournal
from tests.fakes.name_server import answer

KEY = bytes(range(32))
_WALL_MS = 1_800_000_000_000
_IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}
_SETTINGS = {"host": "h", "key": KEY.hex(), "keepalive_s": 60}
_QUESTION = bytes.fromhex("1234010000010000000000000662726f6b6572076578616d706c650000010001")
_ACK = b"\x30\x28\x00\x0eeclor/1/gw/ack\x00\x00\x00\x01\x00\x00\x00\x05" + bytes(16)
_COMMAND = seal(
    KEY,
    {
        "gateway": "gw",
        "id": "x",
        "counter": 9,
        "until_ms": _WALL_MS + 1,
        "do": "reboot",
        "args": {},
    },
)
_GOOD: dict[str, tuple[bytes, ...]] = {
    "mqtt": (
        b"\x20\x02\x00\x00",
        b"\x90\x04\x00\x01\x00\x00",
        b"\x40\x02\x00\x07",
        b"\xd0\x00",
        _ACK,
    ),
    "http": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 24\r\n\r\n" + bytes(24),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nContent-Length: 3\r\n\r\nno\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ),
    "dns": (
        answer(_QUESTION, [("broker.example", 1, 300, "192.0.2.7")]),
        answer(
            _QUESTION, [("broker.example", 5, 9, "b.example"), ("b.example", 1, 9, "192.0.2.7")]
        ),
        answer(_QUESTION, [("broker.example", 1, 300, "192.0.2.7")] * 9, pointer=True),
        answer(_QUESTION, [], 3),
    ),
    "sntp": (b"\x24\x02" + bytes(22) + b"12345678" + bytes(8) + b"\xea\x00\x00\x00" + bytes(4),),
    "command": (_COMMAND, b'{"gateway": "gw"}' + bytes(16)),
}
_GOOD["modem"] = (
    b"\r\nOK\r\n",
    b"\r\n+CPIN: READY\r\n\r\nOK\r\n",
    b"+CPIN: SIM PIN\r\n",
    b"+CSQ: 17,99\r\nOK\r\n",
    b"+CREG: 0,1\r\nOK\r\n",
    b"+CREG: 0,3\r\n",
    b"+CME ERROR: 10\r\n",
    b"CONNECT 115200\r\n",
)
_GOOD["session"] = _GOOD["mqtt"]
_GOOD["post"] = _GOOD["http"]


def _damage(data: bytes, chance: random.Random) -> bytes:
    bad = bytearray(data)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(bad) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(bad):
            bad[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            bad[at : at + chance.randrange(9)] = b""
        elif kind == 2:
            bad[at:at] = chance.randbytes(chance.randrange(1, 9))
        elif kind == 3:
            bad[at:at] = bad[at : at + chance.randrange(60)]
        else:
            bad = bad[:at]
    return bytes(bad)


def make_input(protocol: str, chance: random.Random) -> list[bytes]:
    """Return pieces: a stream of good, damaged and random messages."""
    stream = b""
    for _ in range(chance.randrange(1, 9)):
        kind = chance.randrange(4)
        good = chance.choice(_GOOD[protocol])
        if kind == 0:
            stream += chance.randbytes(chance.randrange(80))
        elif kind == 1:
            stream += _damage(good, chance)
        else:
            stream += good
    if protocol in ("dns", "sntp", "command"):  # one message, not a stream
        return [_damage(chance.choice(_GOOD[protocol]), chance) if chance.randrange(3) else stream]
    pieces = []
    while stream:
        size = chance.choice((1, 3, 16, 500))
        pieces.append(stream[:size])
        stream = stream[size:]
    return pieces


def _mqtt(pieces: list[bytes]) -> None:
    reader = mqtt.Reader(256, lambda *_: None)
    for piece in pieces:
        try:
            reader.feed(piece, 0, len(piece))
        except mqtt.Malformed:
            reader.reset()


def _http(pieces: list[bytes]) -> None:
    reader = http.Reader(lambda *_: None, bytearray(256))
    for piece in pieces:
        try:
            reader.feed(piece, 0, len(piece))
        except http.Malformed:
            reader.reset()


def _dns(pieces: list[bytes]) -> None:
    try:
        found, ttl_s = dns.read_answer(pieces[0], len(pieces[0]), "broker.example", 0x1234)
        assert found and ttl_s >= 0
    except (dns.Foreign, dns.NoAddress):
        pass


def _sntp(pieces: list[bytes]) -> None:
    try:
        wall_ms = sntp.read_answer(pieces[0], len(pieces[0]), b"12345678")
        assert -63_072_000_000 <= wall_ms < 4_300_000_000_000, wall_ms  # 1968 .. 2104
    except sntp.NotBelieved:
        pass


def _command(pieces: list[bytes]) -> None:
    clock = Clock(1)
    clock.set_wall(_WALL_MS, 0, "sntp")
    done: list[object] = []
    commands = Commands("gw", Mac(KEY), clock, 0, lambda counter: None, {"reboot": done.append})
    commands.take(pieces[0], 0)
    assert not done or pieces[0] == _COMMAND, "a forgery ran"


def _modem(pieces: list[bytes]) -> None:
    """Whatever a modem says, the dialogue ends or goes on, and is not led to send a PIN."""
    modem = Modem("iot.example")
    out = bytearray(64)
    now = 0
    for piece in [*pieces, b""]:
        length = modem.step(out, now)
        assert bytes(out[:2]) == b"AT" or not length, bytes(out[:length])
        assert b"AT+CPIN=" not in out, "a PIN was sent"
        modem.received(piece, 0, len(piece), now)
        now += 700
    for _ in range(600):  # ten minutes of silence end every attempt
        now += 1000
        modem.step(out, now)
    assert modem.state in (CONNECTED, REFUSED, FAILED) and len(modem.why) < 200, modem.state


def _session(pieces: list[bytes], kind: type[Uplink] | type[Poster] = Uplink) -> None:
    """Feed a whole session; whatever comes, nothing is freed and the next session begins."""
    journal = MemoryJournal()
    journal.fill(5)
    session = kind(_SETTINGS, journal, _IDENTITY, lambda n: 0)
    now = 0
    for piece in [*pieces, b""]:
        now += 100
        session.step(now)
        if session.action == OPEN:
            session.opened(now)
        elif session.action == CLOSE:
            session.closed(now, "closed")
        while session.output():
            session.sent(now)
        session.received(piece, 0, len(piece), now)
    assert journal.acked == 0, "freed without the key"
    session.closed(now, "end")
    session.step(now + 400000)
    assert session.action == OPEN, session.state


def _post(pieces: list[bytes]) -> None:
    _session(pieces, Poster)


TARGETS: dict[str, Callable[[list[bytes]], None]] = {
    "mqtt": _mqtt,
    "http": _http,
    "dns": _dns,
    "sntp": _sntp,
    "command": _command,
    "modem": _modem,
    "session": _session,
    "post": _post,
}


def run(protocol: str, seed: int, seconds: float) -> Iterator[tuple[int, str, list[bytes]]]:
    """Yield (bytes, "" or what went wrong, pieces) until the time is over."""
    chance = random.Random(f"{protocol} {seed}")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pieces = make_input(protocol, chance)
        wrong = ""
        try:
            TARGETS[protocol](pieces)
        except Exception as error:  # whatever it is, it is looked for
            wrong = f"{type(error).__name__}: {error}"
        yield sum(map(len, pieces)), wrong, pieces


def main() -> int:
    """Fuzz each target for its share of the time; 1 when an input failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    parser.add_argument("protocols", nargs="*")
    options = parser.parse_args()
    protocols = options.protocols or list(TARGETS)
    failed = total = 0
    for protocol in protocols:
        count = inputs = 0
        kinds: set[str] = set()
        for fed, wrong, pieces in run(protocol, options.seed, options.seconds / len(protocols)):
            count += fed
            inputs += 1
            if wrong and wrong not in kinds:
                kinds.add(wrong)
                print(f"{protocol}: {wrong}: {json.dumps([piece.hex() for piece in pieces])}")
        failed += len(kinds)
        total += count
        print(f"{protocol}: {inputs:,} inputs, {count:,} bytes, {len(kinds)} kinds of failure")
    print(f"seed {options.seed}")
    close("fuzz_network", f"fuzz_network: {total:,} bytes, {failed} failures", held=not failed)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
