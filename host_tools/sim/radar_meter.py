"""A simulated traffic radar, and the witness that counts what it said, period by period.

Source: Icoms TMA-3B3 manual, p. 17 (encoded message). No vehicle passes within a second of a full
five seconds: the gateway and the witness would each be right about the period it belongs to.

    radar = RadarMeter(day, "rue", MeterFaults())
    data, pause_s = radar.frame(time.time())
"""

import math
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import Piece
from host_tools.sim.loads import Day

_FRAME = 19
_QUIET_S = 1.0
_ROUND_S = 5


class RadarMeter:
    """One radar that speaks when a vehicle passes."""

    def __init__(self, day: Day, name: str) -> None:
        self._day = day
        self._chance = random.Random(name)
        self._count = 0

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the message of a vehicle, or nothing, and the pause behind it in seconds."""
        rate = self._day.vehicles_per_hour(now_s) / 3600
        pause_s = min(self._chance.expovariate(rate), 4.0)
        into_s = now_s % _ROUND_S
        if not _QUIET_S < into_s < _ROUND_S - _QUIET_S:
            return b"", (_QUIET_S - into_s) % _ROUND_S + 0.05
        speed = max(12, min(110, round(self._chance.gauss(44, 8))))
        length_dm = self._chance.choice((18, 42, 42, 44, 45, 48, 66, 72, 110))
        out = 0x80 * self._chance.randrange(2)
        at = time.gmtime(now_s)
        self._count = (self._count + 1) % (1 << 24)
        body = bytes((speed, length_dm, 0, at.tm_sec % 60, at.tm_min, at.tm_hour))
        body += bytes((at.tm_mday | out, at.tm_mon)) + self._count.to_bytes(3, "little")
        return b"\x02\x99" + body + bytes((0, 0, 0, 20, at.tm_year % 100)) + b"\x03", pause_s


class RadarTap:
    """Counts vehicles as they pass and enters each period of the clock when it is over."""

    def __init__(
        self,
        meter: str,
        ledger: Ledger,
        table: Mapping[str, Any],
        interval_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """interval_s: the meter's own, a multiple of five seconds."""
        self._meter = meter
        self._ledger = ledger
        self._rows = table["points"]
        self._classes = table["classes_dm"]
        self._interval_ms = interval_s * 1000
        self._end_ms = (int(clock() * 1000) // self._interval_ms + 1) * self._interval_ms
        self._data = b""
        self._vehicles: list[tuple[int, int, int]] = []  # speed, class, 1 outgoing
        self._intact = self._heard = True

    @property
    def names(self) -> list[str]:
        """The one meter."""
        return [self._meter]

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            return
        self.pass_time(piece.at_ms)
        self._intact = self._intact and piece.intact
        self._heard = self._heard and piece.arrived is not None
        self._data += piece.sent
        while len(self._data) >= _FRAME:
            frame, self._data = self._data[:_FRAME], self._data[_FRAME:]
            kind = sum(1 for length in self._classes if frame[3] >= length)
            self._vehicles.append((frame[2], kind, frame[8] >> 7))

    def pass_time(self, now_ms: int, meter: str = "") -> None:
        """Enter every period that is over by now; there is one meter."""
        while now_ms >= self._end_ms:
            values = {row[0]: self._value(row[4], row[2]) for row in self._rows}
            self._ledger.add(
                Answer(self._meter, self._end_ms, values, self._intact, self._heard, pushed=True)
            )
            self._end_ms += self._interval_ms
            self._vehicles = []
            self._intact = self._heard = True

    def _value(self, code: str, exponent: int) -> int | None:
        what, *parts = code.split(".")
        chosen = [
            speed
            for speed, kind, out in self._vehicles
            if all(part == str(kind) or part == ("in", "out")[out] for part in parts)
        ]
        if what == "count":
            return len(chosen)
        if not chosen:
            return None
        if what == "mean":
            return math.floor(statistics.fmean(chosen) * 10**-exponent + 0.5)
        return sorted(chosen)[math.ceil(0.85 * len(chosen)) - 1]
