"""One line under the gateway's own bus: ask a meter, or listen to one, and get its reading.

    master = Master(open_serial("/dev/ttyUSB0", line), line)
    turn = master.read(load("modbus")(load_map("sdm120"), {"unit": 1}))
    turn.reading                         # a Reading; None when a listener heard nothing

A driver that learns from a first turn (a block refused by silence is split for the next one)
gets three turns; a gateway would give it as many as it likes.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from agent.bus import Bus
from agent.log import DEBUG, Log
from agent.meter import Meter
from drivers.reading import BAD_FRAME, NO_REPLY, Reading
from host_tools.desk.wires import Line, Wire

_MASK = (1 << 30) - 1
_STEP_S = 0.02
_LISTEN_MS = 3000
_UNANSWERED = {NO_REPLY, BAD_FRAME}


@dataclass
class Turn:
    """What came of asking or listening."""

    reading: Reading | None = None
    heard: int = 0  # bytes that came, ours and others'
    bad_frames: int = 0
    hint: str = ""
    log: list[str] = field(default_factory=list)

    @property
    def why(self) -> str:
        """What was wrong with the last frame that came, "" when none was."""
        told = [line.partition(": meter: ")[2] for line in self.log if ": meter: " in line]
        return told[-1] if told else ""

    @property
    def answered(self) -> bool:
        """Whether the meter has said anything of its own, be it a refusal."""
        if self.reading is None:
            return False
        return any(q not in _UNANSWERED for q in self.reading.quality)

    @property
    def complete(self) -> bool:
        """Whether no point was left without an answer."""
        return self.reading is not None and not set(self.reading.quality) & _UNANSWERED


class Master:
    """A wire, and the bus that a gateway would drive it with."""

    def __init__(self, wire: Wire, line: Line, *, retries: int = 1) -> None:
        self.wire = wire
        self.line = line
        self._retries = retries

    def read(self, driver: Any, *, turns: int = 3) -> Turn:
        """Let a driver have its turns, or hear it once; LinkDown when the wire fails."""
        turn = Turn()
        for _ in range(turns):
            listens = self._once(driver, turn)
            if listens or turn.complete:
                break
        return turn

    def _once(self, driver: Any, turn: Turn) -> bool:
        meter = Meter(0, {"name": "meter", "retries": self._retries}, driver)
        port = dict(zip(("baud", "bits", "parity", "stop"), self.line, strict=True))

        def on_reading(_: Meter, reading: Reading) -> None:
            turn.reading = _copy(reading)

        log = Log(level=DEBUG, sink=turn.log.append)
        bus = Bus(port | {"name": self.wire.name}, [meter], on_reading, lambda _: None, log)
        line = bus.line
        self.wire.configure(line)
        bus.opened(_now_ms())
        until_s = 0.0
        if meter.listens:
            until_s = time.monotonic() + (_LISTEN_MS + 2 * driver.reply_ms) / 1000
        else:
            bus.ask(meter, _now_ms())
        while turn.reading is None if meter.listens else not bus.is_quiet():
            wait_us = bus.step(_now_ms(), _now_us())
            if bus.line != line:
                line = bus.line
                self.wire.configure(line)
            if bus.send_count:
                self.wire.write(bytes(bus.tx[: bus.send_count]))
                bus.sent(_now_ms(), _now_us())
                continue
            data = self.wire.read(min(wait_us / 1e6, _STEP_S))
            turn.heard += len(data)
            for at in range(0, len(data), len(bus.rx)):
                piece = data[at : at + len(bus.rx)]
                bus.rx[: len(piece)] = piece
                bus.received(len(piece), _now_ms(), _now_us())
            if until_s and time.monotonic() > until_s:
                break
        turn.bad_frames += meter.bad_frames
        turn.hint = meter.hint
        return meter.listens


def _copy(reading: Reading) -> Reading:
    copied = Reading(tuple(reading.points))
    copied.values[:] = reading.values
    copied.quality[:] = reading.quality
    copied.times = list(reading.times) if reading.times else None
    copied.at_ms = reading.at_ms
    return copied


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000 & _MASK


def _now_us() -> int:
    return time.monotonic_ns() // 1000 & _MASK
