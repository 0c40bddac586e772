"""What the meters of a simulated site share: day, ledger, what is replayed, what goes wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.sim.ledger import Ledger
from host_tools.sim.loads import Day, Quantities, Series
from host_tools.sim.meter_faults import MeterFaults


@dataclass
class Scene:
    """The surroundings of meters; a meter that replays the series takes it away."""

    day: Day
    ledger: Ledger
    series: Series | None = None  # real values, for the first Modbus meter
    capture: bytes | None = None  # a recorded line, for what speaks TIC
    pymodbus: tuple[str, ...] = ()  # names of meters that are pymodbus servers
    fault_seed: int = 0
    fault_share: float = 0.0

    def quantities(self, meter: str, **options: Any) -> Quantities:
        """Return what one meter measures."""
        return Quantities(self.day, meter, **options)

    def faults(self, meter: str) -> MeterFaults:
        """Return what goes wrong at one meter, by the seed."""
        return MeterFaults(self.fault_seed + sum(meter.encode()), self.fault_share)


def scene_of(
    simulation: Mapping[str, Any], ledger: Ledger, series: Path | None, capture: Path | None
) -> Scene:
    """Read the section `simulation` of a site file: day, start, speed, faults, pymodbus."""
    faults = simulation.get("faults") or {}
    return Scene(
        Day(
            str(simulation.get("day", "household")),
            start_s=_clock_s(str(simulation.get("start", "06:30"))),
            speed=float(simulation.get("speed", 60)),
        ),
        ledger,
        Series(series) if series else None,
        capture.read_bytes() if capture else None,
        tuple(simulation.get("pymodbus") or ()),
        int(faults.get("seed", 0)),
        float(faults.get("share", 0)),
    )


def _clock_s(text: str) -> float:
    hours, _, minutes = text.partition(":")
    return int(hours) * 3600.0 + int(minutes or 0) * 60.0
