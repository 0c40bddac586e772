"""What simulated meters measure: the loads of a believable day, or a real series.

Not physics: smooth curves with the right hours, sizes and jitter, so that a person believes the
picture and a codec meets steps, plateaus and noise. The clock of the *day* may run faster than
real time (a day in a quarter of an hour); energies and volumes grow in real time all the same,
as the integral of what was shown, so that no plausibility check is cheated.

    day = Day("household", start_s=6.5 * 3600, speed=60)
    quantities = Quantities(day, seed="main")
    quantities.value("energy_import", "Wh", time.time())     # a Decimal
"""

import csv
import math
import re
import zlib
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from host_tools.problems import INPUT, Problem

_DAY_S = 86400.0
_HOUR_S = 3600.0

# Power in watts over the hours of a day, (hour, W), straight lines between; hour 24 is hour 0.
_SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "household": (
        *((0, 180), (5.5, 170), (6.5, 900), (7.5, 1900), (8.5, 500), (11.5, 400)),
        *((12.3, 1600), (13.2, 450), (17, 600), (18.5, 2400), (20.5, 1800), (22.5, 700)),
    ),
    "school": (
        *((0, 3200), (5, 3400), (6.5, 9000), (8, 24000), (10, 27000), (12, 31000)),
        *((13.5, 26000), (16, 19000), (17.5, 9000), (20, 4200), (22, 3300)),
    ),
    "street": (
        *((0, 4200), (1, 2500), (5, 2500), (6, 4200), (7.4, 4200), (7.6, 60), (18.9, 60)),
        *((19.1, 4200),),
    ),
}
# Vehicles per hour on a town's street.
_TRAFFIC = ((0, 60), (5, 80), (7, 600), (8.5, 850), (11, 480), (16, 700), (18, 900), (21, 250))
_PULSES = {"household": 1800.0, "school": 4000.0, "street": 120.0}  # of an appliance, W


def _noise(key: str, at_s: float, period_s: float) -> float:
    """Return smooth noise in -1 .. 1 that depends on nothing but key and time."""
    step, part = divmod(at_s / period_s, 1.0)

    def corner(n: float) -> float:
        return zlib.crc32(f"{key} {int(n)}".encode()) / 0x7FFFFFFF - 1.0

    smooth = part * part * (3.0 - 2.0 * part)
    return corner(step) * (1.0 - smooth) + corner(step + 1) * smooth


def _along(shape: tuple[tuple[float, float], ...], hour: float) -> float:
    at = bisect_right([h for h, _ in shape], hour) - 1
    first, value = shape[at]
    last, following = shape[at + 1] if at + 1 < len(shape) else (24.0, shape[0][1])
    return value + (following - value) * (hour - first) / (last - first)


class Day:
    """The loads of one kind of place around the clock."""

    kinds = tuple(_SHAPES)

    def __init__(self, kind: str, *, start_s: float = 6.5 * _HOUR_S, speed: float = 1.0) -> None:
        """kind: one of Day.kinds; start_s: time of day at the start; speed: of the day's clock."""
        if kind not in _SHAPES:
            raise Problem(f"no such day: {kind}", f"one of {', '.join(_SHAPES)}", code=INPUT)
        self.kind = kind
        self._start_s = start_s
        self._speed = speed
        self._origin_s: float | None = None

    def clock_s(self, now_s: float) -> float:
        """Return the seconds since midnight of the simulated day, growing past 86400."""
        if self._origin_s is None:
            self._origin_s = now_s
        return self._start_s + (now_s - self._origin_s) * self._speed

    def power_w(self, key: str, now_s: float) -> float:
        """Return the power a meter shows now; key tells meters apart."""
        clock_s = self.clock_s(now_s)
        base = _along(_SHAPES[self.kind], clock_s % _DAY_S / _HOUR_S)
        swing = 1.0 + 0.06 * _noise(key + "fast", clock_s, 40) + 0.1 * _noise(key, clock_s, 1500)
        # an appliance that switches on and off, mostly when the place is awake
        on = _noise(key + "switch", clock_s, 420) > 0.45
        return max(0.0, base * swing + (_PULSES[self.kind] if on else 0.0))

    def vehicles_per_hour(self, now_s: float) -> float:
        """Return the traffic now."""
        clock_s = self.clock_s(now_s)
        return _along(_TRAFFIC, clock_s % _DAY_S / _HOUR_S) * (1 + 0.2 * _noise("v", clock_s, 900))

    def fill(self, key: str, now_s: float) -> float:
        """Return how full a container is, 0 .. 1: it fills by day and is emptied every third."""
        clock_s = self.clock_s(now_s)
        share = (clock_s / _DAY_S + zlib.crc32(key.encode()) % 100 / 40) % 3.0 / 3.0
        return min(0.97, 0.08 + 0.85 * share + 0.01 * _noise(key, clock_s, 600))


class Series:
    """A real series: a CSV with a first column `t` and columns named quantity_unit.

    One row is shown for row_s real seconds, and the series starts again at its end.
    """

    def __init__(self, path: Path, *, row_s: float = 1.0) -> None:
        """Read the file; a Problem names the line that is no number."""
        self._row_s = row_s
        self._origin_s: float | None = None
        if not path.exists():
            raise Problem(f"{path} is not there", "give the path of a CSV file", code=INPUT)
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            header = next(rows, [])
            self.columns = header[1:]
            self._rows: list[list[str]] = []
            for number, row in enumerate(rows, 2):
                if len(row) != len(header) or not all(_NUMBER.match(cell) for cell in row[1:]):
                    raise Problem(
                        f"{','.join(row)!r} is no row of {','.join(header)}",
                        "one number in each column",
                        code=INPUT,
                        where=f"{path}:{number}",
                    )
                self._rows.append(row[1:])
        if not self._rows:
            raise Problem(f"{path} holds no row", "a header line, then rows", code=INPUT)

    def row(self, now_s: float) -> dict[str, Decimal]:
        """Return the values shown now: column -> value as written."""
        if self._origin_s is None:
            self._origin_s = now_s
        at = int((now_s - self._origin_s) / self._row_s) % len(self._rows)
        return dict(zip(self.columns, map(Decimal, self._rows[at]), strict=True))

    def find(self, name: str, unit: str, now_s: float) -> Decimal | None:
        """Return what the series says about a point, None when nothing."""
        row = self.row(now_s)
        for column, value in row.items():
            stem, _, column_unit = column.rpartition("_")
            scale = _COLUMN_UNITS.get(column_unit if stem else column)
            if scale and scale[0] == unit and _is_about(name):
                return value.scaleb(scale[1])
        return None


_NUMBER = re.compile(r"-?\d+(\.\d+)?$")
# column's unit -> (point's unit, power of ten between them)
_COLUMN_UNITS = {
    "kW": ("W", 3),
    "W": ("W", 0),
    "kvar": ("var", 3),
    "V": ("V", 0),
    "I": ("A", 0),
    "Wh": ("Wh", 0),
    "kWh": ("Wh", 3),
    "m3": ("m3", 0),
    "K": ("K", 0),
}
_SIDE = re.compile(r"export|demand|max|min|_n$|_l[123]_l|thd|energy_.*l[123]|_t[2-9]")


def _is_about(name: str) -> bool:
    """Whether a column without a phase or direction speaks of this point."""
    return not _SIDE.search(name)


class Quantities:
    """All that one meter shows, consistent with itself: energy is the integral of power."""

    def __init__(
        self, day: Day, seed: str, *, series: Series | None = None, phases: int = 3
    ) -> None:
        """seed: tells meters of one day apart. series: overrides what it has columns for."""
        self._day = day
        self._seed = seed
        self._series = series
        self._phases = phases
        self._totals: dict[str, tuple[float, float]] = {}  # counter -> (total, when)
        self._first = 1_000_000 + zlib.crc32(seed.encode()) % 30_000_000

    def value(self, name: str, unit: str, now_s: float) -> Decimal:
        """Return the value of a point in its unit, as finely as a meter would know it."""
        if self._series:
            found = self._series.find(name, unit, now_s)
            if found is not None:
                return found
        return Decimal(f"{self._modelled(name, unit, now_s):.4f}")

    def _modelled(self, name: str, unit: str, now_s: float) -> float:
        share = self._share(name)
        if unit in _RATES:
            return self._total(name, _RATES[unit](self), now_s)
        make = _GAUGES.get(unit)
        return make(self, name, now_s) * share if make else 0.0

    def _share(self, name: str) -> float:
        """Return the part of the whole that a phase or a direction has."""
        if "export" in name:
            return 0.0
        phase = re.search(r"_l([123])$", name)
        if phase and self._phases == 3 and not name.startswith("voltage"):
            return (0.42, 0.33, 0.25)[int(phase.group(1)) - 1]
        return 1.0

    def _total(self, name: str, rate: Callable[[float], float], now_s: float) -> float:
        """Return a counter: its rate per hour, integrated over real time."""
        first = 0.0 if "export" in name else self._first * self._share(name)
        total, then_s = self._totals.get(name, (first, now_s))
        total += rate(now_s) * self._share(name) * max(0.0, now_s - then_s) / _HOUR_S
        self._totals[name] = (total, now_s)
        return total

    def _power(self, now_s: float) -> float:
        return self._day.power_w(self._seed, now_s)

    def _voltage(self, name: str, now_s: float) -> float:
        phase_to_phase = re.search(r"_l\d_l\d$|_ll$", name)
        volts = 231.0 + 3.0 * _noise(self._seed + name, now_s, 30) - self._power(now_s) / 20000
        return volts * (math.sqrt(3) if phase_to_phase else 1.0)

    def _current(self, name: str, now_s: float) -> float:
        return self._power(now_s) / 231.0 / 0.96


_GAUGES: dict[str, Callable[[Quantities, str, float], float]] = {
    "W": lambda q, name, now: q._power(now),
    "VA": lambda q, name, now: q._power(now) / 0.96,
    "var": lambda q, name, now: q._power(now) * 0.29,
    "V": Quantities._voltage,
    "A": Quantities._current,
    "Hz": lambda q, name, now: 50.0 + 0.03 * _noise("grid", now, 20),
    "%": lambda q, name, now: 3.0 + _noise(q._seed + name, now, 60),
    "": lambda q, name, now: 0.96 + 0.01 * _noise(q._seed + name, now, 60),
    "m": lambda q, name, now: 1.6 * (1.0 - q._day.fill(q._seed, now)),
    "degC": lambda q, name, now: (
        (64.0 if "flow" in name or "supply" in name else 46.0) + 2 * _noise(name, now, 300)
    ),
    "K": lambda q, name, now: 18.0 + _noise(name, now, 300),
    "m3/h": lambda q, name, now: q._power(now) / 20_000,
    "l/h": lambda q, name, now: q._power(now) / 20,
}
# what a counter of this unit gains an hour
_RATES: dict[str, Callable[[Quantities], Callable[[float], float]]] = {
    "Wh": lambda q: q._power,
    "VAh": lambda q: lambda now: q._power(now) / 0.96,
    "varh": lambda q: lambda now: q._power(now) * 0.29,
    "m3": lambda q: lambda now: q._power(now) / 20_000,
}
