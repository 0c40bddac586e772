"""What goes wrong on a Modbus line, on purpose and in the same order every time.

    Faults(("silence", "", "crc"))         the first and the third request; none after
    Faults.seeded(7, 0.2)                  one request in five, any fault, by the seed
    Faults(("exception:6",), repeat=True)  always

A fault changes the answer of one request:

    silence    no answer                       late       the answer, after `late_ms`
    slow       after `slow_ms`, still in time  short      the answer without its last 3 bytes
    crc        one bit of the checksum wrong   noisy      noise before the answer
    echo       the request, then the answer    half_echo  part of the request, then the answer
    foreign    another unit's answer first     stale      the answer before this one, again
    count      a byte count that lies          split      the answer in two parts, a pause between
    exception:N  exception N                   twice      the answer, and again after 5 ms
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

Piece = tuple[float, bytes]
NAMES = (
    "silence",
    "late",
    "slow",
    "short",
    "crc",
    "noisy",
    "echo",
    "half_echo",
    "foreign",
    "stale",
    "count",
    "split",
    "twice",
    *(f"exception:{code}" for code in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11)),
)


class Faults:
    """A script of faults, one name a request ("" is none)."""

    def __init__(
        self,
        script: Sequence[str] = (),
        *,
        repeat: bool = False,
        late_ms: float = 1500,
        slow_ms: float = 300,
    ) -> None:
        unknown = [name for name in script if name and name not in NAMES]
        if unknown:
            raise ValueError(f"no such fault: {unknown[0]}; there are {', '.join(NAMES)}")
        self.script = tuple(script)
        self.repeat = repeat
        self.late_ms = late_ms
        self.slow_ms = slow_ms
        self.applied: list[str] = []
        self._next = 0
        self._random: random.Random | None = None
        self._rate = 0.0
        self._names: Sequence[str] = NAMES
        self._last = b""

    @classmethod
    def seeded(cls, seed: int, rate: float, names: Sequence[str] = NAMES) -> Faults:
        """Return faults drawn by a seed: each request is faulty with probability `rate`."""
        faults = cls()
        faults._random = random.Random(seed)
        faults._rate = rate
        faults._names = names
        return faults

    def _draw(self) -> str:
        if self._random:
            if self._random.random() >= self._rate:
                return ""
            return self._random.choice(list(self._names))
        if self._next >= len(self.script):
            if not self.repeat or not self.script:
                return ""
            self._next = 0
        self._next += 1
        return self.script[self._next - 1]

    def apply(
        self,
        request: bytes,
        unit: int,
        pdu: bytes,
        answer: bytes,
        wrap: Callable[[int, bytes], bytes],
    ) -> list[Piece]:
        """Return the pieces to write for an answer, after the next fault of the script.

        wrap(unit, pdu) makes a whole frame of the transport.
        """
        name = self._draw()
        self.applied.append(name)
        whole = wrap(unit, answer)
        last, self._last = self._last, whole
        if name.startswith("exception:"):
            code = int(name.partition(":")[2])
            return [(0, wrap(unit, bytes([pdu[0] | 0x80, code])))]
        broken = whole[:-1] + bytes([whole[-1] ^ 0x10])
        lie = bytes([answer[0], (answer[1] + 2) & 0xFF]) + answer[2:] + b"\0\0"
        table: dict[str, list[Piece]] = {
            "": [(0, whole)],
            "silence": [],
            "late": [(self.late_ms, whole)],
            "slow": [(self.slow_ms, whole)],
            "short": [(0, whole[:-3])],
            "crc": [(0, broken)],
            "noisy": [(0, b"\x00\xf7\x5f"), (0, whole)],
            "echo": [(0, request), (1, whole)],
            "half_echo": [(0, request[:5]), (1, whole)],
            "foreign": [(0, wrap(unit % 247 + 1, answer)), (1, whole)],
            "stale": [(0, last or whole)],
            "count": [(0, wrap(unit, lie))],
            "split": [(0, whole[: len(whole) // 2]), (20, whole[len(whole) // 2 :])],
            "twice": [(0, whole), (5, whole)],
        }
        return table[name]


def crc(data: bytes) -> bytes:
    """Return the CRC-16 of Modbus over Serial Line V1.02, 6.2.2, as sent, bit by bit."""
    register = 0xFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register.to_bytes(2, "little")
