"""A simulated distance sensor of a tank or a container.

sensor = LevelMeter(load_map("a02yyuw"), value)       # value(name, unit, now_s) -> Decimal
data, pause_s = sensor.frame(time.time())
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

_PAUSE_S = 0.3


class LevelMeter:
    """One sensor that speaks by itself; binary or text frames, as its map says."""

    def __init__(
        self, table: Mapping[str, Any], value: Callable[[str, str, float], Decimal]
    ) -> None:
        """table: a MAP of protocol level. value("distance", "m", now_s): what it measures."""
        self._table = table
        self._value = value

    def frame(self, now_s: float) -> tuple[bytes, float]:
        """Return the next frame and the pause behind it, in seconds."""
        distance_um = int(self._value("distance", "m", now_s) * 1_000_000)
        count = distance_um // self._table["step_um"]
        if self._table["frame"] == "R":
            return f"R{count:0{4 if self._table['step_um'] == 1000 else 3}d}\r".encode(), _PAUSE_S
        data = bytes((0xFF, count >> 8 & 0xFF, count & 0xFF))
        return data + bytes((sum(data) & 0xFF,)), _PAUSE_S
