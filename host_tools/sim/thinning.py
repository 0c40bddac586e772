"""What a site file's `thin` allows the gateway to do to a meter's values, for who judges it.

Not the gateway's arithmetic (agent/thin.py), of which nothing is used here: decimals instead.

    allowed = thinning(meter, rows)["voltage_l1"]   # meter: of the site file; rows: of its map
    allowed.coarse(2304)                            # what 230.4 V must have become
    allowed.is_near(2304, 230)                      # may the gateway have held 230 meanwhile?
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from drivers.reading import COUNTER, KIND_NAMES

SILENCE_S = 900  # for so long a value may be held where a site file says no other time


@dataclass(frozen=True)
class Thinning:
    """The settings of one point, in units of the integers that the meter gives."""

    resolution: Decimal  # 1: as read
    power: int  # zeros that the stored integer leaves out
    deadband: Decimal | None
    silence_ms: int
    is_counter: bool

    def coarse(self, value: int) -> int:
        """Return the stored integer of a value that was read."""
        rounding = ROUND_FLOOR if self.is_counter else ROUND_HALF_UP
        steps = (Decimal(value) / self.resolution).to_integral_value(rounding)
        return int((steps * self.resolution).scaleb(-self.power))

    def is_near(self, value: int, stored: int) -> bool:
        """Tell whether a value that was read is within the deadband of a stored one."""
        distance = Decimal(abs(self.coarse(value) - stored)).scaleb(self.power)
        return self.deadband is not None and distance <= self.deadband


def thinning(meter: Mapping[str, Any], rows: Iterable[tuple[Any, ...]]) -> dict[str, Thinning]:
    """Return the settings of each point that has some; rows: the map's, of journaled points."""
    found: dict[str, Thinning] = {}
    given = meter.get("thin") or ()
    named = {name: entry for entry in given for name in entry.get("points") or ()}
    others = next((entry for entry in given if not entry.get("points")), None)
    for name, _, exponent, kind, *_ in rows:
        entry = named.get(name, others)
        if entry is None:
            continue
        one = Decimal(1).scaleb(exponent)
        resolution = Decimal(entry.get("resolution") or one) / one
        power = 0
        while resolution % Decimal(10 ** (power + 1)) == 0:
            power += 1
        deadband = entry.get("deadband")
        found[name] = Thinning(
            resolution,
            power,
            Decimal(deadband) / one if deadband else None,
            int(entry.get("silence_s", SILENCE_S)) * 1000,
            kind in (COUNTER, KIND_NAMES[COUNTER]),
        )
    return found
