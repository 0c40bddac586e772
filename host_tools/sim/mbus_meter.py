"""A simulated wired M-Bus meter, and the witness of what it said.

Source: EN 13757-2:2018, 5; EN 13757-3:2018, 6. Records are encoded and decoded here, by the row's
DIF and VIF, with nothing of drivers/.

    meter = MBusMeter(load_map("itron_cyble"), 3, value)     # value(name, unit, now_s) -> Decimal
    for delay_ms, data in meter.received(request, now_s):
        ...                                                  # write data after delay_ms
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from typing import Any

from host_tools.sim.ledger import Answer, Ledger
from host_tools.sim.lines import Piece
from host_tools.sim.meter_faults import MeterFaults

_DELAY_MS = 12.0  # 11 bit times and more at 2400 baud
_NETWORK = 0xFD
# (first VIF, last, power of ten of the first): EN 13757-3, table 10
_SCALES = (
    *((0x00, 0x07, -3), (0x08, 0x0F, 0), (0x10, 0x17, -6), (0x28, 0x2F, -3), (0x30, 0x37, 0)),
    *((0x38, 0x3F, -6), (0x58, 0x5B, -3), (0x5C, 0x5F, -3), (0x60, 0x63, -3)),
    *((0x64, 0x67, -3), (0x68, 0x6B, -3)),
)
_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8, 9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}


def scale(head: bytes) -> int:
    """Return the power of ten of a record's value by its DIF and VIF bytes."""
    at = next(i for i, byte in enumerate(head) if not byte & 0x80) + 1
    for first, last, power in _SCALES:
        if first <= head[at] & 0x7F <= last and head[at] not in (0xFB, 0xFD):
            return power + (head[at] & 0x7F) - first
    return 0


def _record(head: bytes, value: int) -> bytes:
    field = head[0] & 0x0F
    size = _SIZES[field]
    if field < 8:
        value = value % (1 << 8 * size - 2) if value > 0 else value  # a counter rolls over
        return head + value.to_bytes(size, "little", signed=True)
    return head + bytes.fromhex(f"{value % 100**size:0{2 * size}d}")[::-1]


class MBusMeter:
    """One meter: answers to its primary address, and to its identity when that is selected."""

    def __init__(
        self,
        table: Mapping[str, Any],
        address: int,
        value: Callable[[str, str, float], Decimal],
        *,
        identity: str = "",
        per_telegram: int = 99,
        faults: MeterFaults | None = None,
    ) -> None:
        """identity: 16 hexadecimal digits; per_telegram: records of one answer."""
        self._rows = [row for row in table["points"] if not row[4].startswith("fixed")]
        self._address = address
        digits = identity or f"{10_000_000 + address:08d}C5140004"
        raw = bytes.fromhex(digits)
        self.identity = raw[3::-1] + raw[4:]
        self._value = value
        self._per_telegram = per_telegram
        self._faults = faults or MeterFaults()
        self._buffer = b""
        self._selected = False
        self._fcb: int | None = None
        self._next = 0
        self._last = b""
        self._access = 0

    def silence(self) -> None:
        """Forget a half request."""
        self._buffer = b""

    def received(self, data: bytes, now_s: float) -> list[tuple[float, bytes]]:
        """Take bytes of the line; return what it answers as (delay_ms, bytes)."""
        self._buffer += data
        pieces: list[tuple[float, bytes]] = []
        while self._buffer:
            size = {0x10: 5, 0x68: 6 + (self._buffer[1] if len(self._buffer) > 1 else 0)}.get(
                self._buffer[0], 1
            )
            if len(self._buffer) < size:
                break
            frame, self._buffer = self._buffer[:size], self._buffer[size:]
            answer = self._answer(frame, now_s)
            if answer:
                pieces += self._faults.apply(answer, _DELAY_MS)
        return pieces

    def _answer(self, frame: bytes, now_s: float) -> bytes:
        if frame[0] == 0x68 and frame[4:7] == b"\x73\xfd\x52":
            self._selected = all(
                wanted in (0xF, own)
                for asked, mine in zip(frame[7:15], self.identity, strict=True)
                for wanted, own in ((asked & 15, mine & 15), (asked >> 4, mine >> 4))
            )
            self._fcb = None
            return b"\xe5" if self._selected else b""
        if frame[0] != 0x10 or (frame[1] + frame[2]) & 0xFF != frame[3]:
            return b""
        if frame[2] != self._address and not (frame[2] == _NETWORK and self._selected):
            return b""
        if frame[1] == 0x40:
            self._fcb, self._next = None, 0
            return b"\xe5"
        if frame[1] & 0xDF != 0x5B:
            return b""
        if self._fcb != frame[1] & 0x20:
            if self._fcb is None:
                self._next = 0
            self._fcb = frame[1] & 0x20
            self._last = self._telegram(now_s)
        return self._last

    def _telegram(self, now_s: float) -> bytes:
        rows = self._rows[self._next : self._next + self._per_telegram]
        self._next += self._per_telegram
        records = b""
        for name, unit, _exponent, kind, code, *_ in rows:
            head = bytes(int(byte, 16) for byte in code.split())
            value = 0
            if kind != "state":
                shown = self._value(name, unit, now_s).scaleb(-scale(head))
                value = int(shown.to_integral_value(ROUND_DOWN))
            records += _record(head, value)
        if self._next < len(self._rows):
            records += b"\x1f"
        else:
            self._next = 0
        self._access = (self._access + 1) & 0xFF
        body = bytes((0x08, self._address, 0x72)) + self.identity
        body += bytes((self._access, 0, 0, 0)) + records
        length = len(body)
        return bytes((0x68, length, length, 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


class MBusTap:
    """Reads the answers of one M-Bus line; a read-out of several telegrams is one answer."""

    def __init__(
        self, meters: Mapping[int, tuple[str, Mapping[str, Any]]], ledger: Ledger
    ) -> None:
        """meters: primary address -> (name, MAP)."""
        self._meters = meters
        self._ledger = ledger
        self._data = b""
        self._intact = self._heard = True
        self._part: dict[str, int | None] = {}

    def __call__(self, piece: Piece) -> None:
        """Take one piece of the line."""
        if not piece.from_meter:
            self._data, self._intact, self._heard = b"", True, True
            if b"\x10\x40" in (piece.arrived or b"") or b"\x73\xfd\x52" in (piece.arrived or b""):
                self._part = {}
            return
        self._data += piece.sent
        self._intact = self._intact and piece.intact
        self._heard = self._heard and piece.arrived is not None
        while len(self._data) > 3:
            head = self._data[:4]
            if head[0] != 0x68 or head[1] != head[2] or head[3] != 0x68:
                self._data = self._data[1:]
                continue
            size = head[1] + 6
            if len(self._data) < size:
                return
            frame, self._data = self._data[:size], self._data[size:]
            if sum(frame[4:-2]) & 0xFF == frame[-2]:
                self._enter(frame, piece.at_ms)

    def _enter(self, frame: bytes, at_ms: int) -> None:
        name, table = self._meters.get(frame[5], ("", {}))
        if not name:
            return
        self._part |= _values(frame[19:-2], table)
        if frame[-3:-2] == b"\x1f" and len(self._part) < len(table["points"]):
            return
        values, self._part = self._part, {}
        self._ledger.add(Answer(name, at_ms, values, self._intact, self._heard, pushed=False))


def _values(records: bytes, table: Mapping[str, Any]) -> dict[str, int | None]:
    rows = {bytes(int(b, 16) for b in row[4].split()): row for row in table["points"]}
    values: dict[str, int | None] = {}
    at = 0
    while at < len(records) and records[at] not in (0x0F, 0x1F):
        end = at
        for _ in range(2):  # DIF and its extensions, VIF and its extensions
            while records[end] & 0x80:
                end += 1
            end += 1
        head, size = records[at:end], _SIZES[records[at] & 0x0F]
        raw, at = records[end : end + size], end + size
        if head in rows:
            row = rows[head]
            number = (
                int.from_bytes(raw, "little", signed=True)
                if head[0] & 0x0F < 8
                else int(raw[::-1].hex())
            )
            shown = Decimal(number).scaleb(scale(head) - row[2])
            values[row[0]] = int(shown.to_integral_value(ROUND_HALF_EVEN))
    return values
