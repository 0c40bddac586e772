"""A simulated Modbus meter, made from any map: a mock for tests, for CI and for whole sites.

It is no transport: bytes go in, pieces of bytes with delays come out, so the same meter sits on
a paced pty (host_tools/sim/lines.py), on a socket, or in a test that has no time at all.
Values are encoded by Python's own struct and decimal, not by the driver's code, so that a
driver's mistake cannot hide in its mock.

    meter = ModbusMeter(load_map("sdm120"), unit=1, values=lambda name, now: Decimal("230.4"))
    for delay_ms, data in meter.received(request, now=0.0):
        ...                                   # write data after delay_ms

Faults are scripted (host_tools/sim/modbus_faults.py). What it does not do: keep time, or
check that a request came with the right silence around it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from host_tools.sim.modbus_faults import Faults, Piece, crc

Values = Callable[[str, float], Any]
_WORDS = {"16": 1, "32": 2, "48": 3, "64": 4}
_FORMATS = {"float32": ">f", "float64": ">d"}


class Illegal(Exception):
    """The request is answered with a Modbus exception of this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"exception {code}")
        self.code = code


class ModbusMeter:
    """One meter on a wire.

    table      a MAP literal; unit: the address it answers to (0 on TCP: any)
    values     called with (point name, now) for each point read: a Decimal in the point's unit,
               an int for states, bytes for texts, None for "not available"
    transport  "rtu" or "tcp" ("rtu_tcp" is RTU bytes on a socket)
    holes      true: registers without a point read as 0; false: they are refused
    faults     what goes wrong, request by request
    base       where the SunSpec marker is, when the map is a SunSpec model
    """

    def __init__(
        self,
        table: dict[str, Any],
        unit: int,
        values: Values,
        *,
        transport: str = "rtu",
        holes: bool = True,
        faults: Faults | None = None,
        base: int = 40000,
    ) -> None:
        self.table = table
        self.unit = unit
        self.values = values
        self.transport = transport
        self.holes = holes
        self.faults = faults or Faults()
        self.requests: list[tuple[int, int, int]] = []  # function, address, count of each request
        self.written: list[tuple[int, int, list[int]]] = []
        self._buffer = b""
        self._order = table.get("words", "ABCD")
        self._bytes = table.get("register_bytes", 2)
        self._identity: dict[tuple[int, int], int] = {}
        for function, address, count, accepted in table.get("identity", ()):
            for i in range(count):
                word = (accepted[0] >> (16 * (count - 1 - i))) & 0xFFFF
                self._identity[function, address + i] = word
        self._offset = 0
        if "models" in table:
            self._offset = base + 2 + 2 + 66  # marker, then model 1 (66 registers)
            size = max(row[5] + self._count(row[6]) for row in table["points"]) - 2
            self._plant(base, [0x5375, 0x6E53, 1, 66])
            self._plant(self._offset, [table["models"][0], size])
            self._plant(self._offset + 2 + size, [0xFFFF, 0])

    def _plant(self, address: int, words: list[int]) -> None:
        for i, word in enumerate(words):
            self._identity[3, address + i] = word

    # --- bytes

    def received(self, data: bytes, now: float) -> list[Piece]:
        """Take bytes from the line; return what to write, each piece after its delay."""
        self._buffer += data
        pieces: list[Piece] = []
        for frame in self._frames():
            pieces += self._answered(frame, now)
        return pieces

    def silence(self) -> None:
        """Forget a half request: the line has been silent."""
        self._buffer = b""

    def _frames(self) -> Iterator[bytes]:
        while True:
            size = self._size()
            if not size or len(self._buffer) < size:
                return
            frame, rest = self._buffer[:size], self._buffer[size:]
            if self.transport != "tcp" and crc(frame[:-2]) != frame[-2:]:
                self._buffer = self._buffer[1:]  # noise, or another meter's answer
                continue
            self._buffer = rest
            yield frame

    def _size(self) -> int:
        b = self._buffer
        if self.transport == "tcp":
            return 6 + int.from_bytes(b[4:6], "big") if len(b) >= 6 else 0
        if len(b) < 8:
            return 0
        return 9 + b[6] if b[1] in (15, 16) else 8

    def _answered(self, frame: bytes, now: float) -> list[Piece]:
        if self.transport == "tcp":
            unit, pdu, head = frame[6], frame[7:], frame[:4]
        else:
            unit, pdu, head = frame[0], frame[1:-2], b""
        if unit == 0 and self.transport != "tcp":
            self._try(pdu, now)
            return []
        if unit != self.unit and (unit or self.transport != "tcp"):
            return []
        answer = self._try(pdu, now)

        def wrap(of_unit: int, body: bytes) -> bytes:
            if self.transport == "tcp":
                return head + struct.pack(">HB", len(body) + 1, of_unit) + body
            whole = bytes([of_unit]) + body
            return whole + crc(whole)

        return self.faults.apply(frame, unit, pdu, answer, wrap)

    def _try(self, pdu: bytes, now: float) -> bytes:
        try:
            return self._execute(pdu, now)
        except Illegal as illegal:
            return bytes([pdu[0] | 0x80, illegal.code])

    # --- the application

    def _execute(self, pdu: bytes, now: float) -> bytes:
        function, address, count = pdu[0], *struct.unpack(">HH", pdu[1:5])
        if function in (1, 2):
            self.requests.append((function, address, count))
            return self._bits(function, address, count, now)
        if function in (3, 4):
            self.requests.append((function, address, count))
            words = self._registers(function, address, count, now)
            return bytes([function, len(words)]) + words
        if function in (5, 6):
            self.written.append((function, address, [count]))
            return pdu
        if function in (15, 16):
            data = pdu[6:]
            if function == 15:
                values = [data[i // 8] >> (i % 8) & 1 for i in range(count)]
            else:
                values = list(struct.unpack(f">{count}H", data))
            self.written.append((function, address, values))
            return pdu[:5]
        raise Illegal(1)

    def _bits(self, function: int, address: int, count: int, now: float) -> bytes:
        rows = {row[5]: row for row in self.table["points"] if row[4] == function}
        if not rows:
            raise Illegal(1)
        if not 1 <= count <= self.table.get("max_bits", 2000):
            raise Illegal(3)
        out = bytearray((count + 7) // 8)
        for i in range(count):
            row = rows.get(address + i)
            if row is None and not self.holes:
                raise Illegal(2)
            if row is not None and self.values(row[0], now):
                out[i // 8] |= 1 << (i % 8)
        return bytes([function, len(out)]) + bytes(out)

    def _registers(self, function: int, address: int, count: int, now: float) -> bytes:
        if not 1 <= count <= self.table.get("max_registers", 125):
            raise Illegal(3)
        align = self.table.get("align", 1)
        first = address - self._offset if "models" in self.table else address
        if address % align or (count % align and (function, address) not in self._identity):
            raise Illegal(2)
        here = [self._identity.get((function, address + i)) for i in range(count)]
        if "models" not in self.table and None not in here:
            return b"".join((word or 0).to_bytes(self._bytes, "big") for word in here)
        alone = set(range(address, address + count)) & set(self.table.get("alone", ()))
        if alone and count > 1:
            raise Illegal(2)
        image: dict[int, bytes] = {}
        for row in self.table["points"]:
            if row[4] != function or row[6] == "coil":
                continue
            size = self._count(row[6])
            if first <= row[5] + size - 1 and row[5] < first + count:
                self._put(image, row, now)
        out = b""
        for i in range(count):
            word = image.get(first + i)
            if word is None and (function, address + i) in self._identity:
                word = self._identity[function, address + i].to_bytes(self._bytes, "big")
            if word is None:
                if not self.holes:
                    raise Illegal(2)
                word = bytes(self._bytes)
            out += word
        return out

    def _put(self, image: dict[int, bytes], row: tuple[Any, ...], now: float) -> None:
        data = self._encode(row, now)
        if row[6].startswith("bit:") and row[5] in image:
            data = bytes(a | b for a, b in zip(image[row[5]], data, strict=True))
        step = self._bytes
        for i in range(0, len(data), step):
            image[row[5] + i // step] = data[i : i + step]
        scale = row[7] if len(row) > 7 else 0
        if isinstance(scale, tuple):
            image[scale[0]] = struct.pack(">h", row[2])

    def _count(self, kind: str) -> int:
        if ":" in kind:
            base, number = kind.split(":")
            return int(number) if base == "text" else 1
        return 2 * _WORDS[kind[-2:]] // self._bytes if kind != "coil" else 1

    def _encode(self, row: tuple[Any, ...], now: float) -> bytes:
        """Return the bytes of a point as they are on the wire."""
        kind: str = row[6]
        value = self.values(row[0], now)
        size = 2 * self._count(kind) * self._bytes // 2
        if ":" in kind:
            base, number = kind.split(":")
            if base == "text":
                return self._ordered((value or b"").ljust(size, b"\0"))
            return self._ordered(((1 if value else 0) << int(number)).to_bytes(2, "big"))
        if value is None:
            return self._ordered(absent(kind, row))
        scale = row[7] if len(row) > 7 else 0
        exponent = row[2] if isinstance(scale, tuple) else scale
        number_ = Decimal(value).scaleb(-exponent)
        if kind in _FORMATS:
            return self._ordered(struct.pack(_FORMATS[kind], float(number_)))
        whole = int(number_.to_integral_value(ROUND_HALF_EVEN))
        if kind.startswith("bcd"):
            return self._ordered(bytes.fromhex(str(whole).zfill(2 * size)))
        return self._ordered(whole.to_bytes(size, "big", signed=kind.startswith("int")))

    def _ordered(self, data: bytes) -> bytes:
        words = [data[i : i + 2] for i in range(0, len(data), 2)]
        if self._order[0] in "CD" and len(data) <= 8:
            words.reverse()
        if self._order[0] in "BD":
            words = [word[::-1] for word in words]
        return b"".join(words)


def absent(kind: str, row: tuple[Any, ...]) -> bytes:
    """Return what a register of this kind holds when the meter has no value for it."""
    size = 2 * _WORDS[kind[-2:]]
    if len(row) > 8 and row[8]:
        return int(row[8][0]).to_bytes(size, "big")
    if kind.startswith("float"):
        return struct.pack(_FORMATS[kind], float("nan"))
    if kind.startswith("int"):
        return (1 << (8 * size - 1)).to_bytes(size, "big")
    if kind.startswith("acc"):
        return bytes(size)
    return b"\xff" * size
