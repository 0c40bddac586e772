"""Simulated meters that write OBIS text: P1 telegrams, read-outs of IEC 62056-21; witnesses.

Sources: DSMR P1 Companion Standard 5.0.2, 5.2 and 6.4; IEC 62056-21:2002, 6.3 and 6.4. Data sets
are written and read here, with nothing of drivers/.

    meter = P1Meter(load_map("landis_gyr_e350"), value)      # value(name, unit, now_s) -> Decimal
    data, pause_s = meter.frame(time.time())

    meter = ReadOutMeter(load_map("itron_em214"), value)
    for delay_ms, what in meter.received(sign_on, now_s): ...   # bytes, or its line's new speed
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from host_tools.sim.checks import bcc, p1_crc
from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import LineSettings, Piece
from host_tools.sim.meter_faults import MeterFaults
from host_tools.sim.taps import FrameFunction

Value = Callable[[str, str, float], Decimal]
_PAUSE_S = 1.0  # DSMR 5: a telegram each second; version 4: each ten
_ZONE = ZoneInfo("Europe/Amsterdam")
_ON_WIRE = {"Wh": "kWh", "W": "kW", "varh": "kvarh", "var": "kvar", "degC": "C", "m3/h": "m3ph"}
_SET = re.compile(rb"([^()\r\n]+)((?:\([^()]*\))+)")
SPEEDS = (300, 600, 1200, 2400, 4800, 9600, 19200)


def _line(baud: int) -> LineSettings:
    return LineSettings(baud, 7, "E", 1)


def _number(row: tuple[Any, ...], value: Value, now_s: float) -> str:
    """Return a point's value as the meter writes it, with its unit."""
    name, unit, exponent, kind, *_ = row
    if kind == "state":
        return "0001"
    wire = _ON_WIRE.get(unit, unit)
    kilo = 3 if wire.startswith("k") and wire != unit else 0
    places = max(0, kilo - exponent)
    shown = value(name, unit, now_s).scaleb(-kilo)
    text = f"{abs(shown).quantize(Decimal(1).scaleb(-places), ROUND_DOWN)}"
    sign = "-" if shown < 0 else ""
    return f"{sign}{text.zfill(places + (7 if kilo else 4))}*{wire}"


def _integer(row: tuple[Any, ...], text: str) -> int | None:
    """Return what a text of the wire is at the row's resolution."""
    number, _, unit = text.partition("*")
    try:
        kilo = 3 if unit.startswith("k") else 0
        shown = Decimal(number).scaleb(kilo - row[2])
    except ArithmeticError:
        return None
    return int(shown.to_integral_value(ROUND_HALF_EVEN))


def _values(body: bytes, table: Mapping[str, Any]) -> dict[str, int | None]:
    """Return what the data sets of a whole message say about the map's points."""
    rows = {row[4]: row for row in table["points"] if row[3] != "text"}
    values: dict[str, int | None] = {}
    for code, groups in _SET.findall(body):
        last = groups.decode("ascii").rpartition("(")[2].removesuffix(")")
        for nth, text in enumerate(last.split("&")):
            row = rows.get(code.decode("ascii") + (f"[{nth}]" if nth else ""))
            if row:
                values[row[0]] = _integer(row, text)
    return values


class P1Meter:
    """One P1 port that pushes telegrams of version 4 or later."""

    def __init__(self, table: Mapping[str, Any], value: Value) -> None:
        """table: a MAP of protocol dsmr."""
        self._table = table
        self._value = value

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next telegram and the pause behind it, in seconds."""
        at = _stamp(now_s)
        lines = ["/XYZ5\\2SIMULATED", "", "1-3:0.2.8(50)", f"0-0:1.0.0({at})"]
        for row in self._table["points"]:
            if row[3] == "text":
                continue
            time = f"({at})" if ":24.2." in row[4] else ""
            lines.append(f"{row[4]}{time}({_number(row, self._value, now_s)})")
        text = "\r\n".join([*lines, "!"]).encode("ascii")
        return text + p1_crc(text) + b"\r\n", _PAUSE_S


def _stamp(now_s: float) -> str:
    """Return YYMMDDhhmmss and S in summer, W in winter."""
    local = datetime.fromtimestamp(now_s, _ZONE)
    return local.strftime("%y%m%d%H%M%S") + ("S" if local.dst() else "W")


def p1_frame(table: Mapping[str, Any]) -> FrameFunction:
    """Return the frame function of P1 telegrams: / ... ! CRC CR LF; all of it is ASCII."""

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        data = bytes(byte & 0x7F for byte in data)  # the eighth bit is nobody's
        begin = data.find(b"/")
        if begin:
            return None, begin if begin > 0 else len(data)
        again = data.find(b"/", 1)
        end = data.find(b"\r\n", data.find(b"!")) if b"!" in data else -1
        if 0 < again and (end < 0 or again < end):
            return None, again
        if end < 0:
            return None, len(data) if is_over else 0
        mark = data.rindex(b"!", 0, end) + 1
        if data[mark:end] != p1_crc(data[:mark]):
            return None, end + 2
        return _values(data[:mark], table), end + 2

    return frame


class ReadOutMeter:
    """One meter that is asked in mode A, B or C, or pushes in mode D."""

    def __init__(
        self,
        table: Mapping[str, Any],
        value: Value,
        *,
        mode: str = "C",
        address: str = "",
        speed: int = 5,
        switches: bool = True,
        faults: MeterFaults | None = None,
    ) -> None:
        """speed: what it offers, 0 .. 6. switches: False acknowledges a speed and stays at 300."""
        self._table = table
        self._value = value
        self._mode = mode
        self._address = address.encode()
        self._speed = speed
        self._switches = switches
        self._faults = faults or MeterFaults()
        self._buffer = b""
        self._offered = False

    def silence(self) -> None:
        """Forget a half request; nothing to do: lines have ends."""

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the read-out that it pushes, with its identification; mode D."""
        body = self._sets(now_s).removesuffix(b"\x03")
        return b"/ITR3SIMULATED\r\n\r\n" + body, _PAUSE_S

    def received(self, data: bytes, now_s: float) -> list[tuple[float, bytes | LineSettings]]:
        """Take bytes of the line; return what follows, each after so many ms."""
        pieces: list[tuple[float, bytes | LineSettings]] = []
        self._buffer = (self._buffer + data)[-80:]
        while b"\n" in self._buffer:
            line, _, self._buffer = self._buffer.partition(b"\n")
            asked = re.search(rb"/\?(.*)!\r\Z", line)
            accepted = re.search(rb"\x060(\d)0\r\Z", line)
            if asked and asked[1] in (b"", self._address):
                pieces += self._identify(now_s)
            elif accepted and self._offered:
                self._offered = False
                wanted = min(int(accepted[1]), self._speed)
                pieces += self._read_out(SPEEDS[wanted if self._switches else 0], now_s, 0.0)
        return pieces

    def _identify(self, now_s: float) -> list[tuple[float, bytes | LineSettings]]:
        letter = {"A": " ", "B": chr(0x40 + self._speed)}.get(self._mode, str(self._speed))
        told = f"/ITR{letter}SIMULATED\r\n".encode("ascii")
        pieces: list[tuple[float, bytes | LineSettings]] = [(0, _line(300)), (210, told)]
        if self._mode == "C":
            self._offered = True
            return pieces
        behind_ms = 210 + 1000 * len(told) * _line(300).byte_s
        baud = SPEEDS[self._speed] if self._mode == "B" else 300
        return pieces + self._read_out(baud, now_s, behind_ms)

    def _read_out(
        self, baud: int, now_s: float, from_ms: float
    ) -> list[tuple[float, bytes | LineSettings]]:
        """Return the change of speed, the read-out, and the change back."""
        told = b"\x02" + self._sets(now_s)
        told += bytes((bcc(told[1:]),))
        pieces: list[tuple[float, bytes | LineSettings]] = [(from_ms + 260, _line(baud))]
        pieces += self._faults.apply(told, from_ms + 400)
        end_ms = from_ms + 700 + 1000 * len(told) * _line(baud).byte_s
        return [*pieces, (end_ms, _line(300))]

    def _sets(self, now_s: float) -> bytes:
        by_code: dict[str, list[str]] = {}
        for row in self._table["points"]:
            if row[3] != "text":
                code = row[4].partition("[")[0]
                by_code.setdefault(code, []).append(_number(row, self._value, now_s))
        lines = ["0.0.0(00000000)", *(f"{code}({'&'.join(v)})" for code, v in by_code.items())]
        return "\r\n".join([*lines, "!", ""]).encode("ascii") + b"\x03"


class ReadOutTap:
    """Reads the answers of one meter that is asked: STX ... ! CR LF ETX BCC."""

    def __init__(self, meter: str, ledger: Ledger, table: Mapping[str, Any]) -> None:
        self._meter = meter
        self._ledger = ledger
        self._table = table
        self._data = b""
        self._intact = self._heard = True

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            self._data, self._intact, self._heard = b"", True, True
            return
        self._data += piece.sent
        self._intact = self._intact and piece.intact
        self._heard = self._heard and piece.arrived is not None
        begin = self._data.find(b"\x02")
        end = self._data.find(b"\x03", begin)
        if begin < 0 or end < 0 or len(self._data) < end + 2:
            return
        body, check = self._data[begin + 1 : end + 1], self._data[end + 1]
        if bcc(body) == check:
            values = _values(body, self._table)
            self._ledger.add(
                Answer(self._meter, piece.at_ms, values, self._intact, self._heard, pushed=False)
            )
        self._data = self._data[end + 2 :]


def pushed_read_out(table: Mapping[str, Any]) -> FrameFunction:
    """Return the frame function of mode D: / ... ! CR LF, without a checksum."""

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        begin = data.find(b"/")
        if begin:
            return None, begin if begin > 0 else len(data)
        end = data.find(b"!\r\n")
        again = data.find(b"/", 1)
        if 0 < again and (end < 0 or again < end):
            return None, again
        if end < 0:
            return None, len(data) if is_over else 0
        return _values(data[:end], table), end + 3

    return frame
