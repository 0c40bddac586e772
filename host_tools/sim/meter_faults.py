"""What goes wrong with the frame of a simulated meter, on purpose, by a seed.

    faults = MeterFaults(7, 0.2)           # one frame in five, any fault
    faults.apply(frame)                    # [(delay_ms, bytes), ...]

    silence  no frame                short    without its last three bytes
    flipped  one bit wrong           noisy    noise before it
    split    in two, 40 ms apart     twice    and again after 60 ms

The Modbus meter has its own, richer ones (host_tools/sim/modbus_faults.py).
"""

import random

NAMES = ("silence", "short", "flipped", "noisy", "split", "twice")


class MeterFaults:
    """One frame in `share` goes wrong; the same seed gives the same faults."""

    def __init__(self, seed: int = 0, share: float = 0.0, names: tuple[str, ...] = NAMES) -> None:
        unknown = set(names) - set(NAMES)
        if unknown:
            raise ValueError(f"no such fault: {unknown.pop()}; there are {', '.join(NAMES)}")
        self._chance = random.Random(seed)
        self._share = share
        self._names = names
        self.applied: list[str] = []

    def apply(self, frame: bytes, delay_ms: float = 0.0) -> list[tuple[float, bytes]]:
        """Return the pieces that leave the meter instead of this frame."""
        if self._chance.random() >= self._share:
            return [(delay_ms, frame)]
        name = self._chance.choice(self._names)
        self.applied.append(name)
        if name == "silence":
            return []
        if name == "short":
            return [(delay_ms, frame[:-3])]
        if name == "flipped":
            bad = bytearray(frame)
            bad[self._chance.randrange(len(bad))] ^= 1 << self._chance.randrange(8)
            return [(delay_ms, bytes(bad))]
        if name == "noisy":
            return [(delay_ms, bytes((0, 0x55, 0xFF))), (delay_ms + 30, frame)]
        if name == "split":
            half = len(frame) // 2
            return [(delay_ms, frame[:half]), (delay_ms + 40, frame[half:])]
        return [(delay_ms, frame), (delay_ms + 60, frame)]
