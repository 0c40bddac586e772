"""A simulated German meter that pushes SML, and the witness of what it said.

Source: BSI TR-03109-1 Anlage IV, version 1.04, sections 5, 6.2 and 8. Telegrams are written and
read here, with nothing of drivers/.

    meter = SMLMeter(load_map("emh_ed300l"), value)      # value(name, unit, now_s) -> Decimal
    data, pause_s = meter.frame(time.time())
"""

import re
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from host_tools.sim.checks import x25
from host_tools.sim.taps import FrameFunction

_PAUSE_S = 1.0
_ESCAPE = b"\x1b" * 4
_START = _ESCAPE + b"\x01" * 4
_UNITS = {"Wh": 30, "W": 27, "V": 35, "A": 33, "Hz": 44, "varh": 32, "var": 29, "deg": 8}
_SERVER = b"\x0a\x01XYZ\x00\x00\x00\x00\x01"


def obis(code: str) -> bytes:
    """Return the six bytes of "1-0:1.8.0*255"."""
    fields = [int(field) for field in re.split(r"[-:.*]", code)]
    return bytes([*fields, 255][:6])


def _octets(data: bytes) -> bytes:
    return bytes((len(data) + 1,)) + data


def _unsigned(value: int, size: int) -> bytes:
    return bytes((0x61 + size,)) + value.to_bytes(size, "big")


def _signed(value: int, size: int) -> bytes:
    return bytes((0x51 + size,)) + value.to_bytes(size, "big", signed=True)


def _list(*items: bytes) -> bytes:
    return bytes((0x70 + len(items),)) + b"".join(items)


def _message(number: int, tag: int, body: bytes) -> bytes:
    text = bytes((0x76,)) + _octets(bytes((number,))) + _unsigned(0, 1) + _unsigned(0, 1)
    text += _list(_unsigned(tag, 2), body)
    return text + b"\x63" + x25(text)[::-1] + b"\x00"


class SMLMeter:
    """One meter that speaks by itself."""

    def __init__(
        self, table: Mapping[str, Any], value: Callable[[str, str, float], Decimal]
    ) -> None:
        """table: a MAP of protocol sml."""
        self._rows = [row for row in table["points"] if row[3] != "text"]
        self._value = value
        self._number = 0

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next telegram and the pause behind it, in seconds."""
        entries = b""
        for name, unit, exponent, _kind, code, *_ in self._rows:
            shown = self._value(name, unit, now_s).scaleb(-exponent)
            value = int(shown.to_integral_value(ROUND_DOWN))
            entries += _list(
                _octets(obis(code)),
                b"\x01",  # status
                b"\x01",  # valTime
                _unsigned(_UNITS.get(unit, 255), 1),
                _signed(exponent, 1),
                _signed(value, 8 if abs(value) >= 1 << 31 else 4),
                b"\x01",  # signature
            )
        count = len(self._rows)
        head = bytes((0x70 + count,)) if count < 16 else bytes((0xF0 + (count >> 4), count & 15))
        self._number = (self._number + 3) & 0xFF
        messages = _message(
            self._number,
            0x0101,
            _list(b"\x01", b"\x01", _octets(b"\x05"), _octets(_SERVER), b"\x01", b"\x01"),
        )
        listed = _list(
            b"\x01",
            _octets(_SERVER),
            _octets(obis("1-0:98.1.0")),
            _list(_unsigned(1, 1), _unsigned(int(now_s) & 0xFFFFFF, 4)),
            head + entries,
            b"\x01",
            b"\x01",
        )
        messages += _message((self._number + 1) & 0xFF, 0x0701, listed)
        messages += _message((self._number + 2) & 0xFF, 0x0201, _list(b"\x01"))
        fill = -len(messages) % 4
        body = (messages + bytes(fill)).replace(_ESCAPE, _ESCAPE * 2)
        text = _START + body + _ESCAPE + bytes((0x1A, fill))
        return text + x25(text), _PAUSE_S


def _items(data: bytes, at: int, count: int) -> list[tuple[int, bytes]]:
    """Return (type, content) of so many fields that are no lists."""
    found = []
    for _ in range(count):
        size = data[at] & 15
        found.append((data[at] >> 4 & 7, data[at + 1 : at + size]))
        at += size
    return found


def sml_frame(table: Mapping[str, Any]) -> FrameFunction:
    """Return the frame function of SML telegrams whose numbers this file writes."""
    rows = {obis(row[4]): row for row in table["points"] if row[3] != "text"}

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        begin = data.find(_START)
        if begin < 0:
            return None, len(data) if is_over else max(0, len(data) - 7)
        if begin:
            return None, begin
        ended = re.compile(rb"(?:\x1b{8}|(?!\x1b{4}).)*?\x1b{4}\x1a", re.DOTALL).match(data, 8)
        again = data.find(_START, 8)
        if not ended or len(data) < ended.end() + 3 or 0 < again < ended.end():
            return None, again if again > 0 else len(data) if is_over else 0
        end = ended.end() + 3
        if x25(data[: end - 2]) != data[end - 2 : end]:
            return None, again if 0 < again < end else end
        body = data[8 : end - 8].replace(_ESCAPE * 2, _ESCAPE)
        values: dict[str, int | None] = {}
        for code, row in rows.items():
            at = body.find(b"\x77\x07" + code)
            if at >= 0:
                *_, (_, scaler), (_, number) = _items(body, at + 8, 5)
                exponent = int.from_bytes(scaler, "big", signed=True)
                shown = Decimal(int.from_bytes(number, "big", signed=True))
                shown = shown.scaleb(exponent - row[2])
                values[row[0]] = int(shown.to_integral_value(ROUND_HALF_EVEN))
        return values, end

    return frame
