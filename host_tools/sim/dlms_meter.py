"""A simulated meter that pushes DLMS lists over HDLC, and the witness of what it said.

Each value stands in a structure with its OBIS code, scaler and unit, as Aidon's lists have it.
Sources: DLMS UA 1000-2 Ed. 10, 9.3.10 and 9.5; ISO/IEC 13239, frame format type 3. Nothing here
is of drivers/.

    meter = DLMSMeter(load_map("kaifa_ma304"), value)    # value(name, unit, now_s) -> Decimal
    data, pause_s = meter.frame(time.time())

    7E  A0 nn  client  server  control  HCS 2  E6 E7 00  0F ...  FCS 2  7E
    02 03 | 09 06 OBIS | 05 value 4 | 02 02 0F scaler 16 unit
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from host_tools.sim.checks import x25
from host_tools.sim.sml_meter import obis
from host_tools.sim.taps import FrameFunction

_PAUSE_S = 2.0
_ZONE = ZoneInfo("Europe/Oslo")
_UNITS = {"Wh": 30, "W": 27, "V": 35, "A": 33, "Hz": 44, "varh": 32, "var": 29}
_HEAD = b"\x01\x21\x13"
_ENTRY = 21  # bytes of one value's structure


class DLMSMeter:
    """One meter that speaks by itself."""

    def __init__(
        self, table: Mapping[str, Any], value: Callable[[str, str, float], Decimal]
    ) -> None:
        """table: a MAP of protocol dlms."""
        self._rows = [row for row in table["points"] if row[3] != "text"]
        self._value = value

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next notification in its frame, and the pause behind it in seconds."""
        text = b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x0c" + _clock(now_s)
        text += bytes((0x01, len(self._rows)))
        for name, unit, exponent, _kind, code, *_ in self._rows:
            shown = self._value(name, unit, now_s).scaleb(-exponent)
            value = int(shown.to_integral_value(ROUND_DOWN))
            text += b"\x02\x03\x09\x06" + obis(code)
            text += b"\x05" + value.to_bytes(4, "big", signed=True)
            text += b"\x02\x02\x0f" + exponent.to_bytes(1, "big", signed=True)
            text += bytes((0x16, _UNITS.get(unit, 255)))
        size = len(text) + 9
        head = bytes((0xA0 | size >> 8, size & 0xFF)) + _HEAD
        head += x25(head)
        return b"\x7e" + head + text + x25(head + text) + b"\x7e", _PAUSE_S


def _clock(now_s: float) -> bytes:
    """Return the twelve bytes of date and time, its deviation from UTC included."""
    local = datetime.fromtimestamp(now_s, _ZONE)
    offset = local.utcoffset()
    assert offset is not None
    minutes = -int(offset.total_seconds()) // 60
    day = bytes((local.month, local.day, local.isoweekday()))
    time = bytes((local.hour, local.minute, local.second, 0xFF))
    deviation = minutes.to_bytes(2, "big", signed=True)
    return local.year.to_bytes(2, "big") + day + time + deviation + b"\x00"


def dlms_frame(table: Mapping[str, Any]) -> FrameFunction:
    """Return the frame function of the notifications that this file writes."""
    rows = {obis(row[4]): row for row in table["points"] if row[3] != "text"}

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        begin = data.find(b"\x7e")
        if begin:
            return None, begin if begin > 0 else len(data)
        if len(data) < 4:
            return None, 1 if is_over else 0
        size = (data[1] & 7) << 8 | data[2]
        if data[1] & 0xF8 != 0xA0:
            return None, 1
        if len(data) < size + 2:
            return None, 1 if is_over else 0
        text = data[1 : size + 1]
        if x25(text[:-2]) != text[-2:] or data[size + 1] != 0x7E:
            return None, 1
        values: dict[str, int | None] = {}
        at = 7 + 4 + 4 + 1 + 12 + 2  # header, LLC and tag, invoke id, length, clock, array
        while at + _ENTRY <= len(text) - 2 + 1 and text[at : at + 4] == b"\x02\x03\x09\x06":
            row = rows.get(text[at + 4 : at + 10])
            if row:
                shown = Decimal(int.from_bytes(text[at + 11 : at + 15], "big", signed=True))
                scaler = int.from_bytes(text[at + 18 : at + 19], "big", signed=True)
                shown = shown.scaleb(scaler - row[2])
                values[row[0]] = int(shown.to_integral_value(ROUND_HALF_EVEN))
            at += _ENTRY
        return values, size + 2

    return frame
