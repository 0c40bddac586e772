"""Which map fits a meter that answers: identity registers, the SunSpec marker, plausible values.

    for fit in fits(master, 1, {"transport": "rtu"}):
        fit.map, fit.why                 # "sdm630", "identity fc3:0xfc02 is 0x0070"

A match of an identity is the end of the search. Otherwise each map is read in a few points, and
those whose voltages, frequencies or temperatures are such are offered, best first: families of one
maker share their registers, so more than one may fit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from drivers.modbus import Modbus
from drivers.reading import GOOD, Reading, decimal_text
from host_tools.desk.master import Master
from host_tools.planning.map_file import map_names, read_map

_POINTS = 5  # of a map are read
_SHOWN = 4  # fits offered when none is certain
_PACE = {"wait_ms": 100, "reply_ms": 400}  # meters that nobody knows are asked gently
# unit: least, most, what it tells about the map
_PLAUSIBLE: dict[str, tuple[int | str, int, int]] = {
    "V": (50, 700, 3),
    "Hz": (40, 70, 3),
    "degC": (-40, 200, 2),
    "m": ("0.02", 30, 2),
    "lx": (0, 200_000, 1),
    "m3/h": (0, 10_000, 1),
    "A": (0, 10_000, 1),
    "W": (-10_000_000, 10_000_000, 1),
    "Wh": (0, 10**13, 1),
    "m3": (0, 10**9, 1),
}
_NOTHING = (0, 0, 0)


@dataclass(frozen=True)
class Fit:
    """A map, why it fits, and how much speaks for it (100: certain)."""

    map: str
    why: str
    score: int


def fits(master: Master, unit: int, options: dict[str, Any]) -> list[Fit]:
    """Return the maps that fit the meter at this address, best first; [] when none does."""
    options = {**_PACE, **options, "unit": unit}
    tables = {name: read_map(name) for name in map_names("modbus")}
    known = [(n, t) for n, t in tables.items() if "identity" in t]
    found = list(_by_identity(master, options, known))
    if found:
        return found
    models = [(name, table) for name, table in tables.items() if "models" in table]
    found = list(_by_chain(master, options, models))
    if found:
        return found
    others = [(n, t) for n, t in tables.items() if "models" not in t]  # codes are not all known
    found = list(_by_values(master, options, others))
    found.sort(key=lambda fit: -fit.score)
    return found[:_SHOWN]


_Tables = list[tuple[str, dict[str, Any]]]


def _read(master: Master, table: dict[str, Any], options: dict[str, Any]) -> Reading | None:
    return master.read(Modbus(table, options), turns=1).reading


def _by_identity(master: Master, options: dict[str, Any], tables: _Tables) -> Iterator[Fit]:
    read: dict[tuple[int, int, int], int | None] = {}
    for name, table in tables:
        for function, address, count, accepted in table["identity"]:
            where = (function, address, count)
            if where not in read:
                read[where] = _registers(master, options, *where)
            value = read[where]
            if value in accepted:
                is_, at = f"0x{value:0{4 * count}x}", f"fc{function}:0x{address:04x}"
                yield Fit(name, f"identity {at} is {is_}", 100)


def _registers(
    master: Master, options: dict[str, Any], function: int, address: int, count: int
) -> int | None:
    kind = f"uint{16 * count}"
    row = ("identity", "", 0, "state", function, address, kind, 0, ())
    reading = _read(master, {"points": (row,)}, options)
    value: int | None = reading.values[0] if reading else None
    return value


def _by_chain(master: Master, options: dict[str, Any], tables: _Tables) -> Iterator[Fit]:
    for name, table in tables:
        names = [row[0] for row in table["points"][:_POINTS]]
        reading = _read(master, table, {**options, "points": names})
        if reading and any(quality == GOOD for quality in reading.quality):
            yield Fit(name, f"SunSpec model {table['models'][0]} or its like", 100)


def _by_values(master: Master, options: dict[str, Any], tables: _Tables) -> Iterator[Fit]:
    refused: set[tuple[Any, ...]] = set()  # first rows that did not do: families share them
    for name, table in tables:
        rows = sorted(table["points"], key=lambda row: -_PLAUSIBLE.get(row[1], _NOTHING)[2])
        names = [row[0] for row in rows[:_POINTS]]
        first = rows[0][4:]
        if first in refused:
            continue
        if _told(_read(master, table, {**options, "points": names[:1]})) is None:
            refused.add(first)  # most maps end here, after one transaction
            continue
        told = _told(_read(master, table, {**options, "points": names}))
        if told and (told[0] or not told[1]):
            yield Fit(name, f"plausible: {told[1]}" if told[1] else "it answers", told[0])


def _told(reading: Reading | None) -> tuple[int, str] | None:
    """Return (score, values in words) of a plausible reading; None when it is none."""
    if reading is None or set(reading.quality) != {GOOD}:
        return None
    score = 0
    words: list[str] = []
    for point, value in zip(reading.points, reading.values, strict=True):
        if point.unit not in _PLAUSIBLE or not isinstance(value, int):
            continue
        least, most, weight = _PLAUSIBLE[point.unit]
        text = decimal_text(value, point.exponent)
        if not Decimal(least) <= Decimal(text) <= Decimal(most):
            return None
        score += weight if value else 0
        words.append(f"{point.name} {text} {point.unit}")
    return score, ", ".join(words)
