"""The uplink's figures: the price of exactly once on the wire, and what the window buys.

All in memory against tests/fakes/broker.py, so a figure is the protocol's own; TLS, TCP and IP
are not counted.
"""

import time

from agent.uplink import Uplink
from tests.bench.figure import Figure
from tests.fakes.broker import Broker, pump
from tests.fakes.journal import MemoryJournal

_RECORD_BYTES = 443  # 427 bytes of a block of 60 readings x 5 registers, and the record around it
_COUNT = 500
_ROUND_TRIP_MS = 100
_IDENTITY = {"gateway": "gw-ecole", "board": "host", "version": "1", "runtime": "x", "boot": 1}


def _make(count: int, **settings: int) -> tuple[Uplink, MemoryJournal, Broker]:
    journal = MemoryJournal()
    uplink = Uplink(settings, journal, _IDENTITY, lambda n: 0)
    broker = Broker(b"gw-ecole")
    pump(uplink, broker, 0)
    journal.fill(count, _RECORD_BYTES - 16)
    return uplink, journal, broker


def _drain_ms(count: int, window: int) -> int:
    """Return the virtual time until all is acknowledged, every answer one round trip late."""
    uplink, journal, broker = _make(count, window=window)
    now_ms = 0
    while journal.acked < count:
        uplink.step(now_ms)
        while length := uplink.output():
            broker.take(bytes(uplink.out[:length]))
            uplink.sent(now_ms)
        now_ms += _ROUND_TRIP_MS
        answer, broker.out = broker.out, b""
        uplink.received(answer, 0, len(answer), now_ms)
    return now_ms


def run() -> list[Figure]:
    """Measure; see the module's text for what is not counted."""
    uplink, journal, broker = _make(_COUNT)
    before = uplink.counters["bytes_out"] + uplink.counters["bytes_in"]
    begun = time.perf_counter()
    pump(uplink, broker, 1)
    seconds = time.perf_counter() - begun
    wire = uplink.counters["bytes_out"] + uplink.counters["bytes_in"] - before
    assert journal.acked == _COUNT
    one, eight = _drain_ms(_COUNT, 1), _drain_ms(_COUNT, 8)
    return [
        Figure(
            "overhead per record",
            wire / _COUNT - _RECORD_BYTES,
            "bytes",
            "PUBLISH head, PUBACK and ack of 500 records of 443 bytes, without TLS, TCP and IP",
        ),
        Figure(
            "records per second",
            _COUNT / seconds,
            "1/s",
            "Uplink and fake broker in memory on CPython",
        ),
        Figure(
            "drain, window 8 against 1",
            one / eight,
            "times",
            "500 records at 100 ms round trip in virtual time",
        ),
    ]
