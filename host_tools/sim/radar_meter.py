"""A simulated traffic radar, and the witness that counts what it said, period by period.

Sources: Icoms TMA-3B3 manual, p. 17; Houston Radar DR500 manual, p. 6; OmniPreSense OPS242 manual,
p. 8. Icoms tells a vehicle in one message, the others look at it several times while it passes. No
vehicle passes within two seconds of a full ten: the gateway and the witness would each be right
about the period it belongs to. Nothing here is of drivers/.

    radar = RadarMeter(day, "rue", load_map("icoms_tma"))
    data, pause_s = radar.frame(time.time())
"""

import math
import random
import re
import statistics
import time
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import Piece
from host_tools.sim.loads import Day

_QUIET_S = 2.0
_ROUND_S = 10
_LOOK_S = 0.15  # between two looks at a vehicle
_PASS_MS = 1000  # without a look: it has passed
_ICOMS = re.compile(
    rb"\x02\x99.{2}[\x00-\x99][\x00-\x59][\x00-\x59][\x00-\x23][\x00-\x1f\x80-\x9f\x20-\x31\xa0-\xb1]"
    rb"[\x00-\x12].{8}\x03",
    re.DOTALL,
)
_SPEED = re.compile(rb"\?000|[+-]?\d{3}")
_NUMBER = re.compile(r"[+-]?\d{1,5}(\.\d*)?")
_KMH = {"km/h": Decimal(1), "m/s": Decimal("3.6"), "mi/h": Decimal("1.6093")}


class RadarMeter:
    """One radar that speaks when a vehicle passes."""

    def __init__(self, day: Day, name: str, table: Mapping[str, Any]) -> None:
        """table: a MAP of protocol radar, of any frame but "lines"."""
        self._day = day
        self._chance = random.Random(name)
        self._frame = table["frame"]
        self._unit = _KMH[table.get("unit", "km/h")]
        self._count = 0
        self._looks: list[bytes] = []

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next message, or nothing, and the pause behind it in seconds."""
        if self._looks:
            look = self._looks.pop(0)
            return look, _LOOK_S if self._looks else 1.5 * _PASS_MS / 1000
        into_s = now_s % _ROUND_S
        if not _QUIET_S < into_s < _ROUND_S - 2 * _QUIET_S:
            return b"", (_QUIET_S - into_s) % _ROUND_S + 0.05
        rate = self._day.vehicles_per_hour(now_s) / 3600
        speed = max(12, min(110, round(self._chance.gauss(44, 8))))
        is_out = self._chance.randrange(2)
        if self._frame == "icoms":
            return self._icoms(speed, is_out, now_s), min(self._chance.expovariate(rate), 4.0)
        for _ in range(self._chance.randrange(2, 6)):
            shown = max(11, speed + self._chance.randrange(-3, 1)) / self._unit
            if self._frame == "speed":
                self._looks.append(f"{'+-'[is_out]}{round(shown):03d}\r\n".encode())
            else:
                way = ("in", "out")[is_out]
                self._looks.append(
                    f'{{"speed":{shown:.2f}, "direction":"{way}bound", "time":5}}\r\n'.encode()
                )
        if self._frame == "speed":
            self._looks.append(b"000\r\n")
        return b"", min(self._chance.expovariate(rate), 1.0)

    def _icoms(self, speed: int, is_out: int, now_s: float) -> bytes:
        length_dm = self._chance.choice((18, 42, 42, 44, 45, 48, 66, 72, 110))
        at = time.gmtime(now_s)
        self._count = (self._count + 1) % (1 << 24)
        body = bytes((speed, length_dm, 0, at.tm_sec % 60, at.tm_min, at.tm_hour))
        body += bytes((at.tm_mday | 0x80 * is_out, at.tm_mon)) + self._count.to_bytes(3, "little")
        return b"\x02\x99" + body + bytes((0, 0, 0, 20, at.tm_year % 100)) + b"\x03"


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
        self._frame = table["frame"]
        self._unit = _KMH[table.get("unit", "km/h")]
        self._least = table.get("least", 0)
        self._data = b""
        self._last_ms = 0
        self._pass: tuple[int, int, int] | None = None  # when last seen, fastest, 1 outgoing
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
        if piece.at_ms - self._last_ms > (100 if self._frame == "icoms" else _PASS_MS):
            self._data = b""
        self._last_ms = piece.at_ms
        self._data += piece.sent
        if self._frame == "icoms":
            while len(self._data) >= 19:
                at = self._data.find(b"\x02\x99")
                if at < 0:
                    self._data = self._data[-18:]
                    return
                if len(self._data) < at + 19:
                    return
                frame = self._data[at : at + 19]
                is_one = _ICOMS.fullmatch(frame)
                self._data = self._data[at + (19 if is_one else 1) :]
                if is_one:
                    kind = sum(1 for length in self._classes if frame[3] >= length)
                    self._vehicles.append((frame[2], kind, frame[8] >> 7))
            return
        *lines, self._data = re.split(rb"[\r\n]", self._data)
        for line in lines:
            self._look(line, piece.at_ms)

    def _look(self, line: bytes, at_ms: int) -> None:
        """Take one line of a radar that looks at a vehicle several times."""
        if not re.fullmatch(rb"[ -~]+", line):
            return
        text = line.decode("ascii")
        if self._frame == "speed":
            if not _SPEED.fullmatch(line):
                return
            shown, is_out = Decimal(text[-3:]), int(text[0] == "-")
        else:
            members = dict(
                [part.strip(' "}') for part in (*member.split(":", 1), "")][:2]
                for member in text[1:].split(",")
            )
            way = members.get("direction", "inbound")
            number = members.get("speed", "")
            if text[0] + text[-1] != "{}" or any(":" not in m for m in text.split(",")):
                return
            if not _NUMBER.fullmatch(number) or way not in ("inbound", "outbound"):
                return
            shown = abs(Decimal(number))
            is_out = int(way == "outbound" or number[0] == "-")
        speed = int((shown * self._unit).quantize(Decimal(1), ROUND_HALF_UP))
        if speed > 255:
            return
        is_vehicle = speed > 0 and speed >= self._least
        seen = self._pass
        if seen and (at_ms - seen[0] >= _PASS_MS or seen[2] != is_out or not is_vehicle):
            self._passed()
        if is_vehicle:
            fastest = self._pass[1] if self._pass else 0
            self._pass = at_ms, max(fastest, speed), is_out

    def _passed(self) -> None:
        if self._pass:
            self._vehicles.append((self._pass[1], 0, self._pass[2]))
        self._pass = None

    def pass_time(self, now_ms: int, meter: str = "") -> None:
        """Enter every period that is over by now; there is one meter."""
        while now_ms >= self._end_ms:
            if self._pass and self._end_ms - self._pass[0] >= _PASS_MS:
                self._passed()
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
