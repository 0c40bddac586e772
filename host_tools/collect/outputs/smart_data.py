"""Readings as entities of Smart Data Models: plain values, no NGSI-LD around them (ngsi.py).

What a meter is follows from its points: energy in Wh is an ACMeasurement, volume in m3 a
WaterConsumptionObserved, `level` without a unit a WasteContainer, `vehicles` a
TrafficFlowObserved, a state a Device. Units follow the published models: kWh, litres (unit code
LTR; the model wants an integer), 0 .. 1; figures are exact decimals.

Source: smart-data-models.github.io: dataModel.Energy/ACMeasurement (location, phaseType and
dateObserved are required), dataModel.WaterConsumption/WaterConsumptionObserved,
dataModel.WasteManagement/WasteContainer (location is required),
dataModel.Transportation/TrafficFlowObserved, dataModel.Device/Device (category and
controlledProperty are required).

    entity_of(reading, (2.35, 48.85))
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drivers.reading import IMPLAUSIBLE, STATE
from host_tools.collect.outputs import Reading

Position = tuple[float, float]  # longitude, latitude, WGS 84, as GeoJSON has them

_TOTALS = {
    "energy_import": ("totalActiveEnergyImport", "KWH", Decimal("0.001")),
    "energy": ("totalActiveEnergyImport", "KWH", Decimal("0.001")),
    "energy_export": ("totalActiveEnergyExport", "KWH", Decimal("0.001")),
    "reactive_energy_import": ("totalReactiveEnergyImport", "KVH", Decimal("0.001")),
    "reactive_energy_export": ("totalReactiveEnergyExport", "KVH", Decimal("0.001")),
    "power": ("totalActivePower", "WTT", Decimal(1)),
    "reactive_power": ("totalReactivePower", "D44", Decimal(1)),
    "apparent_power": ("totalApparentPower", "D46", Decimal(1)),
    "power_apparent": ("totalApparentPower", "D46", Decimal(1)),
    "power_factor": ("totalPowerFactor", "", Decimal(1)),
    "frequency": ("frequency", "HTZ", Decimal(1)),
}
_PHASES = {
    "power": ("activePower", "WTT"),
    "reactive_power": ("reactivePower", "D44"),
    "apparent_power": ("apparentPower", "D46"),
    "voltage": ("phaseVoltage", "VLT"),
    "current": ("current", "AMP"),
    "power_factor": ("powerFactor", ""),
}
_NOT_NEGATIVE = ("Energy", "activePower", "pparentPower", "frequency", "Voltage")
_PLACED = ("ACMeasurement", "WasteContainer")  # their models require a location
_PHASE = re.compile(r"(\w+)_l([123])")


@dataclass
class Entity:
    """One entity: attributes as (value, UN/CEFACT unit code or "")."""

    id: str
    type: str
    at_ms: int
    attributes: dict[str, tuple[Any, str]] = field(default_factory=dict)

    @property
    def observed_at(self) -> str:
        """The time of the reading, ISO 8601 UTC with milliseconds."""
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC)
        return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{self.at_ms % 1000:03d}Z"


def entity_of(reading: Reading, position: Position | None = None) -> Entity | None:
    """Return what a reading says; None when no model fits or nothing was measured."""
    numbers = {
        value.point: Decimal(value.number)
        for value in reading.values
        if value.number is not None and value.quality != IMPLAUSIBLE
    }
    units = {value.point: value.unit for value in reading.values}
    states = {value.point for value in reading.values if value.kind == STATE}
    if not numbers:
        return None
    for make in _MAKERS:
        found = make(reading, numbers, units, states)
        if found is not None:
            if position is not None:
                geometry = {"type": "Point", "coordinates": list(position)}
                found.attributes["location"] = (geometry, "geo")
            return found if position is not None or found.type not in _PLACED else None
    return None


def _named(reading: Reading, kind: str) -> Entity:
    name = f"urn:ngsi-ld:{kind}:{reading.gateway}:{reading.meter}"
    return Entity(name, kind, reading.at_ms)


def _electricity(
    reading: Reading, numbers: dict[str, Decimal], units: dict[str, str], _: set[str]
) -> Entity | None:
    if not {"Wh", "W", "VA"} & {units[point] for point in numbers}:
        return None
    entity = _named(reading, "ACMeasurement")
    phases: dict[str, dict[str, Decimal]] = {}
    codes: dict[str, str] = {}
    for point, number in numbers.items():
        if point in _TOTALS:
            name, code, factor = _TOTALS[point]
            if _allowed(name, number):
                entity.attributes[name] = (number * factor, code)
            continue
        match = _PHASE.fullmatch(point)
        if match and match[1] in _PHASES:
            name, codes[name] = _PHASES[match[1]]
            if _allowed(name, number):
                phases.setdefault(name, {})[f"L{match[2]}"] = number
    for name, by_phase in phases.items():
        entity.attributes[name] = (by_phase, codes[name])
    if not entity.attributes:
        return None
    has_more = any(point.endswith(("_l2", "_l3")) for point in numbers)
    entity.attributes["phaseType"] = ("threePhase" if has_more else "singlePhase", "")
    entity.attributes["dateObserved"] = (entity.observed_at, "")
    return entity


def _allowed(name: str, number: Decimal) -> bool:
    """Whether the model takes this number: some attributes have a floor, factors both ends."""
    if "owerFactor" in name:
        return -1 <= number <= 1
    return number >= 0 or not any(part in name for part in _NOT_NEGATIVE)


def _water(
    reading: Reading, numbers: dict[str, Decimal], units: dict[str, str], _: set[str]
) -> Entity | None:
    if "volume" not in numbers or units["volume"] not in ("m3", "l"):
        return None
    entity = _named(reading, "WaterConsumptionObserved")
    litres = numbers["volume"] * (1000 if units["volume"] == "m3" else 1)
    entity.attributes["waterConsumption"] = (int(litres), "LTR")
    return entity


def _container(
    reading: Reading, numbers: dict[str, Decimal], units: dict[str, str], _: set[str]
) -> Entity | None:
    if "level" not in numbers or units["level"] not in ("", "%"):
        return None
    entity = _named(reading, "WasteContainer")
    level = numbers["level"] * (Decimal("0.01") if units["level"] == "%" else 1)
    entity.attributes["fillingLevel"] = (min(max(level, Decimal(0)), Decimal(1)), "C62")
    return entity


def _traffic(
    reading: Reading, numbers: dict[str, Decimal], _: dict[str, str], __: set[str]
) -> Entity | None:
    counted = numbers.get("vehicles", numbers.get("vehicle_count"))
    if counted is None or counted < 0:
        return None
    entity = _named(reading, "TrafficFlowObserved")
    entity.attributes["intensity"] = (counted, "")
    speed = numbers.get("speed_mean", numbers.get("speed"))
    if speed is not None and speed >= 0:
        entity.attributes["averageVehicleSpeed"] = (speed, "KMH")
    entity.attributes["dateObserved"] = (entity.observed_at, "")
    return entity


def _contact(
    reading: Reading, numbers: dict[str, Decimal], _: dict[str, str], states: set[str]
) -> Entity | None:
    shown = {point: str(number) for point, number in numbers.items() if point in states}
    if not shown:
        return None
    entity = _named(reading, "Device")
    entity.attributes["category"] = (["sensor"], "")
    # The model lists what a device may observe; of a contact, occupancy is the nearest.
    entity.attributes["controlledProperty"] = (["occupancy"], "")
    value = ";".join(f"{point}={number}" for point, number in sorted(shown.items()))
    entity.attributes["value"] = (value, "")
    entity.attributes["dateLastValueReported"] = (entity.observed_at, "")
    return entity


_Maker = Callable[[Reading, dict[str, Decimal], dict[str, str], set[str]], Entity | None]
_MAKERS: tuple[_Maker, ...] = (_electricity, _water, _container, _traffic, _contact)
