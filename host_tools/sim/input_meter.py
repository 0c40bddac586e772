"""Simulated inputs of a gateway: pulse outputs and contacts, and the witness that counts them.

On the line is one byte now and again, 0x40 | place of the input << 1 | level, for the emulated
board's pins (firmware/hal/host.py). Pulses last 60 ms; within a second of a full five seconds
nothing changes: the gateway and the witness would each be right about the period it belongs to.

With faults a change bounces, and now and then an input is disturbed for less than a millisecond:
the level behind it is what counts.

What passed while the gateway had no power, and since its last save, is not in its totals; so the
site no longer judges these meters once its power was cut (tests/system/test_inputs.py does).
"""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import Piece

_PULSE_S = 0.06
_PAUSE_S = 0.09  # between two pulses
_QUIET_S = 1.0
_LASTS_MS = 15  # what is shorter was a bounce
_ROUND_S = 5
_REPEAT_S = 0.4  # a level is said again: the gateway may just have started
_NEW_S = 3 * _REPEAT_S  # nothing changes so long after that: it must know the level first


class _Input:
    """One input: what drives it, and its level."""

    def __init__(self, meter: Mapping[str, Any], table: Mapping[str, Any]) -> None:
        options = meter.get("options", {})
        self.name = str(meter["name"])
        self.table = table
        self.is_pulse = table["protocol"] == "pulse"
        self.place = int(options.get("input", 1)) - 1
        self.active = int(options.get("active", table.get("active", 0)))
        self.pulses = int(options.get("pulses", table.get("pulses", 1)))
        self.steps = int(options.get("steps", table.get("steps", 1)))
        self.start = int(options.get("start", 0))
        self.level = self.seen = 1 - self.active
        self.since_ms = 0  # to the witness: how long the level seen lasts
        self.count = 0
        self.intact = self.heard = True  # of the present period, to the witness

    def byte(self) -> int:
        return 0x40 | self.place << 1 | self.level


class InputMeters:
    """All inputs of one port."""

    def __init__(
        self,
        meters: Sequence[Mapping[str, Any]],
        tables: Mapping[str, Mapping[str, Any]],
        value: Callable[[str, str, str, float], Decimal],
        is_heard: Callable[[], bool],
        *,
        fault_seed: int = 0,
        fault_share: float = 0.0,
    ) -> None:
        """value(meter, point, unit, now_s): what a pulse meter has counted; is_heard: whether the
        gateway has opened the port: before that nothing pulses. fault_share: of the changes that
        bounce, and of the moments at which an input is disturbed, by the seed.
        """
        self._inputs = [_Input(meter, tables[str(meter["name"])]) for meter in meters]
        self._value = value
        self._is_heard = is_heard
        self._chance = random.Random(" ".join(one.name for one in self._inputs))
        self._faults = random.Random(fault_seed)
        self._share = fault_share
        self.applied: list[str] = []
        self._first: dict[str, int] = {}
        self._turn_s: dict[str, float] = {}
        self._said_s = 0.0
        self._heard_s = float("-inf")  # when the gateway was last seen without the port

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the levels that changed, or all of them, and the pause behind them in seconds."""
        into_s = now_s % _ROUND_S
        if not self._is_heard():
            self._heard_s = now_s
        is_quiet = not _QUIET_S < into_s < _ROUND_S - _QUIET_S or now_s - self._heard_s < _NEW_S
        said = b""
        pause_s = _PAUSE_S
        for one in self._inputs:
            if one.level == one.active and one.is_pulse:
                one.level = 1 - one.active
            elif is_quiet or not self._changes(one, now_s):
                continue
            else:
                one.level = 1 - one.level
                pause_s = _PULSE_S
            said += self._bounced(one.byte())
        if not said and now_s - self._said_s >= _REPEAT_S:
            self._said_s = now_s
            said = b"".join(self._disturbed(one.byte()) for one in self._inputs)
        return said, pause_s

    def _bounced(self, byte: int) -> bytes:
        """Return a change of level, perhaps with the bounces of a contact."""
        if self._faults.random() >= self._share:
            return bytes((byte,))
        self.applied.append("bounce")
        return bytes((byte, byte ^ 1)) * self._faults.randrange(1, 4) + bytes((byte,))

    def _disturbed(self, byte: int) -> bytes:
        """Return a level, perhaps behind a disturbance."""
        if self._faults.random() >= self._share:
            return bytes((byte,))
        self.applied.append("disturbance")
        return bytes((byte ^ 1, byte))

    def _changes(self, one: _Input, now_s: float) -> bool:
        if one.is_pulse:
            row = next(row for row in one.table["points"] if row[4] == "total")
            shown = self._value(one.name, row[0], row[1], now_s).scaleb(-row[2])
            due = int(shown) * one.pulses // one.steps
            due -= self._first.setdefault(one.name, due)
            if one.count >= due:
                return False
            one.count += 1
            return True
        if now_s < self._turn_s.setdefault(one.name, now_s + self._chance.uniform(4, 12)):
            return False
        self._turn_s[one.name] = now_s + self._chance.uniform(8, 30)
        return True


class InputTap:
    """Counts what the inputs of one port did and enters each period of the clock."""

    def __init__(
        self,
        meters: Sequence[Mapping[str, Any]],
        tables: Mapping[str, Mapping[str, Any]],
        ledger: Ledger,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ledger = ledger
        self._inputs = [_Input(meter, tables[str(meter["name"])]) for meter in meters]
        self._intervals = [int(meter.get("interval_s", 10)) * 1000 for meter in meters]
        now_ms = int(clock() * 1000)
        self._ends = [(now_ms // i + 1) * i for i in self._intervals]
        self._is_known = False

    @property
    def names(self) -> list[str]:
        """The meters on these inputs."""
        return [one.name for one in self._inputs]

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            return
        self.pass_time(piece.at_ms)
        self._is_known = True
        for one in self._inputs:
            one.intact = one.intact and piece.intact
            one.heard = one.heard and piece.arrived is not None
        for byte in piece.sent:
            for one in self._inputs:
                if byte >> 1 & 0x1F == one.place and byte & 1 != one.seen:
                    one.seen, one.since_ms = byte & 1, piece.at_ms

    def pass_time(self, now_ms: int, meter: str = "") -> None:
        """Enter every period that is over by now, of all meters or of one."""
        for one in self._inputs:
            if one.seen != one.level and now_ms - one.since_ms >= _LASTS_MS:
                one.level = one.seen
                one.count += one.level == one.active
        for i, one in enumerate(self._inputs):
            while meter in ("", one.name) and now_ms >= self._ends[i]:
                values: dict[str, int | None] = {}
                for row in one.table["points"]:
                    if row[4] == "total":
                        values[row[0]] = one.start + one.count * one.steps // one.pulses
                    elif row[4] == "state":
                        values[row[0]] = int(one.level == one.active)
                    elif row[4] == "changes":
                        values[row[0]] = one.count
                if self._is_known:
                    self._ledger.add(
                        Answer(one.name, self._ends[i], values, one.intact, one.heard, pushed=True)
                    )
                one.intact = one.heard = True
                self._ends[i] += self._intervals[i]
