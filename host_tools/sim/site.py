"""A simulated site: the meters of one gateway on their lines, with a believable day or real data.

Which meters there are says the gateway's own configuration; what they measure, the optional
section `simulation` of the site file. Every protocol of `ATTACH` has a simulated meter.

    site = SimulatedSite(gateway_configuration, {"day": "household"}, ledger)
    site.start(loop)                     # in the loop's thread
    site.uarts                           # {"uart1": "/dev/pts/3", ...}, for the board
    site.stop_meters()
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from drivers import load_map
from host_tools.problems import INPUT, Problem
from host_tools.sim.attach import ASKING, ATTACH, DEFAULT_LINES, chosen_points
from host_tools.sim.input_meter import InputTap
from host_tools.sim.ledger import Ledger
from host_tools.sim.lines import Line, LineSettings
from host_tools.sim.meter_end import MeterEnd
from host_tools.sim.oracle import Rule
from host_tools.sim.radar_meter import RadarTap
from host_tools.sim.scene import scene_of
from host_tools.sim.taps import StreamTap
from host_tools.sim.thinning import thinning

_INPUTS = {"pulse", "contact"}  # share a port


class SimulatedSite:
    """All lines and meters of one gateway; `rules` say how the oracle judges each meter."""

    def __init__(
        self,
        gateway: Mapping[str, Any],
        simulation: Mapping[str, Any],
        ledger: Ledger,
        *,
        series: Path | None = None,
        capture: Path | None = None,
    ) -> None:
        """gateway: one gateway of a site file. simulation: day, start, speed, faults,
        pymodbus (names of meters that are pymodbus servers); optional.

        series drives the first Modbus meter, capture replaces what the Linky says. A Problem
        when a protocol or a map has no simulated meter.
        """
        self.gateway = gateway
        self.ledger = ledger
        self._scene = scene_of(simulation, ledger, series, capture)
        self.lines: dict[str, Line] = {}
        self.rules: dict[str, Rule] = {}
        self.uarts: dict[str, str] = {}
        self._ends: list[MeterEnd] = []
        for port in gateway["ports"]:
            self._wire(port)

    def _wire(self, port: Mapping[str, Any]) -> None:
        meters = [m for m in self.gateway["meters"] if m["port"] == port["name"]]
        if not meters:
            return
        if port.get("kind") == "tcp":
            raise Problem(
                f"{port['name']}: ports of kind tcp are not simulated in a site",
                "eclor mock --tcp is such a meter",
                code=INPUT,
            )
        protocols = {m["protocol"] for m in meters}
        if not (len(protocols) == 1 or protocols == _INPUTS) or not protocols <= set(ATTACH):
            raise Problem(
                f"no simulated meter speaks {', '.join(sorted(protocols))} on {port['name']}",
                f"one protocol a line, of {', '.join(sorted(ATTACH))}",
                code=INPUT,
            )
        protocol = protocols.pop()
        tables = {m["name"]: load_map(m["map"]) for m in meters}
        first = tables[meters[0]["name"]]
        settings = LineSettings(*first["line"]) if "line" in first else DEFAULT_LINES[protocol]
        line = Line(port["name"], settings)
        if "uart" in port:  # else inputs, which have no speed
            line.gateway_settings = LineSettings(
                port.get("baud", 9600),
                port.get("bits", 8),
                port.get("parity", "N"),
                port.get("stop", 1),
            )
        end = MeterEnd(line)
        line.tap = ATTACH[protocol](self._scene, end, meters, tables)
        for meter in meters:
            rows = chosen_points(meter, tables[meter["name"]])
            self.rules[meter["name"]] = Rule(
                meter.get("interval_s", 10) * 1000,
                not meter.get("options", {}).get("mode") == "D" and protocol not in ASKING,
                frozenset(row[0] for row in rows),
                thinning(meter, rows),
            )
        self.lines[port["name"]] = line
        self._ends.append(end)
        self.uarts[port.get("uart") or port["pins"][0]] = line.gateway_path

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move bytes; call it in the loop's thread."""
        for line in self.lines.values():
            line.start(loop)
        for end in self._ends:
            end.start(loop)

    def stop_meters(self) -> None:
        """Switch every meter off: they neither answer nor speak."""
        for end in self._ends:
            end.silent = True

    def end_frames(self, newest_ms: Mapping[str, int]) -> None:
        """Enter into the ledger what meters had said when they were switched off.

        newest_ms: the time of each meter's newest stored reading: periods that ended later may
        be on their way, and are not owed.
        """
        for line in self.lines.values():
            if isinstance(line.tap, StreamTap):
                line.tap.silence()
            elif isinstance(line.tap, RadarTap | InputTap):
                for name in line.tap.names:
                    line.tap.pass_time(newest_ms.get(name, 0), name)

    def set_power(self, on: bool) -> None:
        """Tell every line whether the gateway has power."""
        for line in self.lines.values():
            line.set_power(on)
            if isinstance(line.tap, InputTap) and not on:  # see host_tools/sim/input_meter.py
                uncertain = set(line.tap.names)
                self.rules = {n: rule for n, rule in self.rules.items() if n not in uncertain}

    def close(self) -> None:
        """Stop and close all; call it in the loop's thread."""
        for end in self._ends:
            end.close()
        for line in self.lines.values():
            line.close()
