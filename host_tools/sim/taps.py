"""Taps: the bytes that passed on a simulated line become entries of the ledger.

A tap is the simulator's witness, so it shares no code with drivers/: registers are decoded by
pymodbus, telegrams by a few lines here that know nothing of resynchronising or of damage (a
line says itself which pieces it damaged). Of drivers/ only data is used: the
literal table of a map, the fields of a status word, numbers of kinds.

    tap = ModbusTap({1: Tapped("main", load_map("sdm630"))}, ledger)
    line = Line("rs485-1", settings, tap)
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import Any

from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.framer import FramerRTU

from drivers.reading import TEXT
from drivers.tic_labels import STGE
from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import Piece

_NAME, _UNIT, _EXPONENT, _KIND, _CODE = range(5)


@dataclass(frozen=True)
class Tapped:
    """A meter behind a tap: its name in the site, and its MAP."""

    meter: str
    map: Mapping[str, Any]


def to_integer(value: float | int | Decimal, scale: int, exponent: int) -> int:
    """Return `value * 10 ** scale` as an integer at `10 ** exponent`, half to even."""
    return int(Decimal(value).scaleb(scale - exponent).to_integral_value(ROUND_HALF_EVEN))


class ModbusTap:
    """Reads requests and answers of one RS-485 line, function codes 3 and 4."""

    def __init__(self, meters: Mapping[int, Tapped], ledger: Ledger) -> None:
        """meters: unit address -> meter."""
        self._meters = meters
        self._ledger = ledger
        self._request = b""
        self._answer = b""
        self._intact = self._heard = True

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            if self._answer:
                self._request = b""
            self._request += piece.arrived or b""
            self._answer, self._intact, self._heard = b"", True, True
            return
        self._answer += piece.sent
        self._intact = self._intact and piece.intact
        self._heard = self._heard and piece.arrived is not None
        #  0     1     2       3 ..         3+n
        #  unit  FC    n       n bytes      CRC low, high
        if len(self._answer) < 3 or len(self._answer) < 5 + self._answer[2]:
            return
        answer, self._answer = self._answer, b""
        if _crc_holds(answer) and _crc_holds(self._request[-8:]):
            self._enter(self._request[-8:], answer, piece.at_ms)

    def _enter(self, request: bytes, answer: bytes, at_ms: int) -> None:
        unit, function = answer[0], answer[1]
        tapped = self._meters.get(unit)
        if tapped is None or request[0] != unit or function not in (3, 4):
            return
        first = int.from_bytes(request[2:4], "big")
        registers = [int.from_bytes(answer[i : i + 2], "big") for i in range(3, 3 + answer[2], 2)]
        values = {
            row[_NAME]: register_value(tapped.map, row, registers[row[5] - first :])
            for row in tapped.map["points"]
            if row[_CODE] == function
            and first <= row[5]
            and row[5] + register_count(row[6]) <= first + len(registers)
        }
        if values:
            self._ledger.add(
                Answer(tapped.meter, at_ms, values, self._intact, self._heard, pushed=False)
            )


def _crc_holds(frame: bytes) -> bool:
    return len(frame) >= 4 and FramerRTU.compute_CRC(frame[:-2]).to_bytes(2, "big") == frame[-2:]


# register types of the maps that a simulated meter may have -> pymodbus's own
_TYPES = {
    "uint16": ModbusClientMixin.DATATYPE.UINT16,
    "uint32": ModbusClientMixin.DATATYPE.UINT32,
    "uint64": ModbusClientMixin.DATATYPE.UINT64,
    "int16": ModbusClientMixin.DATATYPE.INT16,
    "int32": ModbusClientMixin.DATATYPE.INT32,
    "int64": ModbusClientMixin.DATATYPE.INT64,
    "float32": ModbusClientMixin.DATATYPE.FLOAT32,
    "float64": ModbusClientMixin.DATATYPE.FLOAT64,
    "bits16": ModbusClientMixin.DATATYPE.UINT16,
    "bits32": ModbusClientMixin.DATATYPE.UINT32,
    "acc32": ModbusClientMixin.DATATYPE.UINT32,
    "acc64": ModbusClientMixin.DATATYPE.UINT64,
}


def pymodbus_type(kind: str) -> ModbusClientMixin.DATATYPE:
    """Return what pymodbus calls a register type of the maps; KeyError when it has none."""
    return _TYPES[kind]


def register_count(kind: str) -> int:
    """Return how many registers a type of the maps takes; 1 << 16 for one not simulated."""
    return _TYPES[kind].value[1] if kind in _TYPES else 1 << 16


def register_value(table: Mapping[str, Any], row: tuple[Any, ...], words: list[int]) -> int | None:
    """Return the integer of one row of a map from the registers at its address.

    None where the registers hold a not-a-number.
    """
    kind = row[6]
    order = table.get("words", "ABCD")
    registers = words[: register_count(kind)]
    if order in ("BADC", "DCBA"):
        registers = [(w & 0xFF) << 8 | w >> 8 for w in registers]
    raw = ModbusClientMixin.convert_from_registers(
        registers, _TYPES[kind], "little" if order in ("CDAB", "DCBA") else "big"
    )
    if not isinstance(raw, int | float) or math.isnan(raw):
        return None
    scale = row[7] if len(row) > 7 and isinstance(row[7], int) else 0
    return to_integer(raw, scale, row[_EXPONENT])


# (bytes so far, is_over) -> (values or None, bytes used)
FrameFunction = Callable[[bytes, bool], tuple[Mapping[str, int | None] | None, int]]
_SILENCE_MS = 350  # longer than a meter's pause inside a frame, or between two


class StreamTap:
    """Cuts what a pushing meter sends into frames and enters each.

    frame(data, is_over) looks at the bytes so far and returns (values or None, bytes used):
    (None, 0) while a frame is not whole; used without values is noise between frames. is_over:
    the line fell silent, nothing more belongs to these bytes.
    """

    def __init__(
        self,
        meter: str,
        ledger: Ledger,
        frame: FrameFunction,
    ) -> None:
        self._meter = meter
        self._ledger = ledger
        self._frame = frame
        self._data = b""
        self._marks: list[tuple[int, bool, bool]] = []  # (bytes, intact, heard) of each piece
        self._last_ms = 0

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            return
        if piece.at_ms - self._last_ms > _SILENCE_MS:
            self.silence()
        self._last_ms = piece.at_ms
        self._data += piece.sent
        self._marks.append((len(piece.sent), piece.intact, piece.arrived is not None))
        self._enter(is_over=False)

    def silence(self) -> None:
        """Nothing more belongs to what has passed: enter what it holds."""
        self._enter(is_over=True)

    def _enter(self, *, is_over: bool) -> None:
        while self._data:
            values, used = self._frame(self._data, is_over)
            if not used:
                return
            intact, heard = self._use(used)
            if values:
                self._ledger.add(
                    Answer(self._meter, self._last_ms, values, intact, heard, pushed=True)
                )

    def _use(self, count: int) -> tuple[bool, bool]:
        """Drop the first bytes; return whether all pieces they came in were intact, and heard."""
        self._data = self._data[count:]
        all_intact = all_heard = True
        while count:
            size, intact, heard = self._marks[0]
            all_intact, all_heard = all_intact and intact, all_heard and heard
            if size > count:
                self._marks[0] = (size - count, intact, heard)
                return all_intact, all_heard
            count -= size
            del self._marks[0]
        return all_intact, all_heard


def tic_frame(
    points: tuple[tuple[Any, ...], ...],
) -> FrameFunction:
    """Return the frame function of a Linky with this map (Enedis-NOI-CPT_54E, 6.2; CPT_02E).

    A frame is STX ... ETX; a group is LF label SEP [date SEP] data SEP checksum CR, where SEP
    is a tab (standard) or a space (historique).
    """
    by_label: dict[str, list[tuple[Any, ...]]] = {}
    for row in points:
        if row[_KIND] not in ("text", TEXT):
            by_label.setdefault(row[_CODE].split(".")[0], []).append(row)

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        data = bytes(byte & 0x7F for byte in data)  # 7E1: the eighth bit is the parity's
        begin = next((i for i, byte in enumerate(data) if byte in b"\x02\n"), len(data))
        if begin:
            return None, begin
        end = next((i for i, byte in enumerate(data) if i and byte in b"\x02\x03\x04"), -1)
        is_open = end < 0 and not is_over
        if end < 0:
            end = len(data) if is_over else data.rfind(b"\n")  # its last group is not whole yet
        values: dict[str, int | None] = {}
        seen = set()
        at = data.find(b"\n", 0, end)
        while 0 <= at < end:
            after = data.find(b"\n", at + 1, end)
            after = end if after < 0 else after
            text = data[at + 1 : after].split(b"\r")[0]
            separator = b"\t" if text[-2:-1] == b"\t" else b" "
            summed = text[:-1] if separator == b"\t" else text[:-2]
            is_whole = len(text) >= 5 and text[-2:-1] == separator
            if is_whole and (sum(summed) & 0x3F) + 0x20 == text[-1]:
                label, *_, content = text[:-2].split(separator)
                rows = by_label.get(label.decode("ascii", "replace"), [])
                if rows and label in seen:
                    return values, at  # the end of the frame was lost
                for row in rows:
                    value = _tic_value(row, content)
                    if value is not None:
                        seen.add(label)
                        values[row[_NAME]] = value
            at = after if after < end else -1
        return (
            (None, 0) if is_open else (values, end + (data[end : end + 1] in (b"\x03", b"\x04")))
        )

    return frame


def _tic_value(row: tuple[Any, ...], content: bytes) -> int | None:
    label, _, field = row[_CODE].partition(".")
    try:
        if label == "STGE":
            word = int(content, 16)
            for name, low, count in STGE:
                if name == field:
                    return word >> low & (1 << count) - 1
            return word
        number = content.decode("ascii").removesuffix(row[_UNIT])
        return to_integer(Decimal(number), 0, row[_EXPONENT])
    except (ValueError, ArithmeticError):
        return None


def level_frame(table: Mapping[str, Any], empty_mm: int = 0, full_mm: int = 0) -> FrameFunction:
    """Return the frame function of a distance sensor: FF high low sum, or R digits CR.

    empty_mm, full_mm: what it shows over an empty and a full container, for the share.
    """

    def values(count: int) -> dict[str, int | None]:
        told: dict[str, int | None] = {}
        distance_um = Decimal(count * table["step_um"])
        for row in table["points"]:
            if count < table["least"] or count == table["none"]:
                told[row[_NAME]] = None
            elif row[_CODE] == "distance":
                told[row[_NAME]] = _half_up(distance_um.scaleb(-6 - row[_EXPONENT]))
            elif empty_mm > full_mm:
                share = (empty_mm * 1000 - distance_um) / ((empty_mm - full_mm) * 1000)
                share = min(max(share, Decimal(0)), Decimal(1))
                told[row[_NAME]] = _half_up(share.scaleb(-row[_EXPONENT]))
        return told

    def frame(data: bytes, is_over: bool = False) -> tuple[Mapping[str, int | None] | None, int]:
        head = b"R" if table["frame"] == "R" else b"\xff"
        begin = data.find(head)
        if begin:
            return None, begin if begin > 0 else len(data)
        if head == b"R":
            told = re.match(rb"R(\d{3,5})\r", data)
            if told:
                return values(int(told[1])), told.end()
            may_come = re.fullmatch(rb"R\d{0,5}", data) and not is_over
            return None, 0 if may_come else 1
        if len(data) < 4:
            return None, len(data) if is_over else 0
        if sum(data[:3]) & 0xFF != data[3]:
            return None, 1
        return values(data[1] << 8 | data[2]), 4

    return frame


def _half_up(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_HALF_UP))
