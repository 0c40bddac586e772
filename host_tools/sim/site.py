"""A simulated site: the meters of one gateway on their lines, with a believable day or real data.

Which meters there are says the gateway's own configuration; what they measure, the optional
section `simulation` of the site file. Every protocol of `ATTACH` has a simulated meter.

    site = SimulatedSite(gateway_configuration, {"day": "household"}, ledger)
    site.start(loop)                     # in the loop's thread
    site.uarts                           # {"uart1": "/dev/pts/3", ...}, for the board
    site.stop_meters()
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drivers import load_map
from drivers.reading import KIND_NAMES, TEXT
from host_tools.oracle import Rule
from host_tools.problems import INPUT, Problem
from host_tools.sim.ledger import Ledger
from host_tools.sim.level_meter import LevelMeter
from host_tools.sim.lines import Line, LineSettings, Piece
from host_tools.sim.loads import Day, Quantities, Series
from host_tools.sim.mbus_meter import MBusMeter, MBusTap
from host_tools.sim.meter_faults import MeterFaults
from host_tools.sim.modbus_meter import ModbusMeter
from host_tools.sim.pymodbus_meter import PymodbusMeter
from host_tools.sim.radar_meter import RadarMeter, RadarTap
from host_tools.sim.taps import ModbusTap, StreamTap, Tapped, level_frame, tic_frame
from host_tools.sim.tic_meter import TicCapture, TicMeter, labels_of, map_of

_REQUEST_GAP_S = 0.05  # silence after which a simulated meter forgets a half request
_DEFAULT_LINES = {
    "modbus": LineSettings(9600, 8, "N", 1),
    "tic": LineSettings(9600, 7, "E", 1),
    "level": LineSettings(9600, 8, "N", 1),
    "radar": LineSettings(115200, 8, "N", 1),
    "mbus": LineSettings(2400, 8, "E", 1),
}


class MeterEnd:
    """The meters' end of a line: hands them what the gateway sends, and writes what they say."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.silent = False  # the meters are switched off
        self._receivers: list[Callable[[bytes, float], list[tuple[float, bytes]]]] = []
        self._silences: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._pushers: list[Callable[[float], tuple[bytes, float]]] = []
        self._servers: list[PymodbusMeter] = []
        self._last_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1

    def answer(
        self,
        received: Callable[[bytes, float], list[tuple[float, bytes]]],
        silence: Callable[[], None],
    ) -> None:
        """Add a meter that answers: received(data, now_s) -> [(delay_ms, data)]."""
        self._receivers.append(received)
        self._silences.append(silence)

    def push(self, frame: Callable[[float], tuple[bytes, float]]) -> None:
        """Add a meter that speaks unasked: frame(now_s) -> (data, pause_s after its last byte)."""
        self._pushers.append(frame)

    def serve(self, meter: PymodbusMeter) -> None:
        """Let a meter run that has a server of its own; answer() hands it what is asked."""
        self._servers.append(meter)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; call it in the loop's thread."""
        self._loop = loop
        self._descriptor = os.open(self.line.meter_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        loop.add_reader(self._descriptor, self._read)
        self._tasks = [loop.create_task(self._pushing(p)) for p in self._pushers]
        self._tasks += [loop.create_task(s.start(self._write)) for s in self._servers]

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._descriptor, 4096)
            now_s = time.monotonic()
            if now_s - self._last_s > _REQUEST_GAP_S:
                for silence in self._silences:
                    silence()
            self._last_s = now_s
            assert self._loop is not None
            for received in self._receivers:
                for delay_ms, piece in received(data, time.time()):
                    self._loop.call_later(delay_ms / 1000, self._write, piece)

    def _write(self, data: bytes) -> None:
        if not self.silent and self._descriptor >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._descriptor, data)

    def say(self, data: bytes) -> None:
        """Put bytes on the line now; call it in the loop's thread."""
        self._write(data)

    async def _pushing(self, frame: Callable[[float], tuple[bytes, float]]) -> None:
        while True:
            data, pause_s = frame(time.time())
            self._write(data)
            await asyncio.sleep(len(data) * self.line.settings.byte_s + pause_s)

    def close(self) -> None:
        """Stop; call it in the loop's thread."""
        for task in self._tasks:
            task.cancel()
        for server in self._servers:
            server.close()
        if self._loop and self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1


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
        self.day = Day(
            str(simulation.get("day", "household")),
            start_s=_clock_s(str(simulation.get("start", "06:30"))),
            speed=float(simulation.get("speed", 60)),
        )
        faults = simulation.get("faults") or {}
        self.fault_seed = int(faults.get("seed", 0))
        self.fault_share = float(faults.get("share", 0))
        self.pymodbus = tuple(simulation.get("pymodbus") or ())
        self.series = Series(series) if series else None
        self.capture = capture.read_bytes() if capture else None
        self.lines: dict[str, Line] = {}
        self.rules: dict[str, Rule] = {}
        self.uarts: dict[str, str] = {}
        self._ends: list[MeterEnd] = []
        for port in gateway["ports"]:
            if port.get("kind", "uart") == "uart":
                self._wire(port)

    def _wire(self, port: Mapping[str, Any]) -> None:
        meters = [m for m in self.gateway["meters"] if m["port"] == port["name"]]
        if not meters:
            return
        protocols = {m["protocol"] for m in meters}
        if len(protocols) != 1 or not protocols <= set(ATTACH):
            raise Problem(
                f"no simulated meter speaks {', '.join(sorted(protocols))} on {port['name']}",
                f"one protocol a line, of {', '.join(sorted(ATTACH))}",
                code=INPUT,
            )
        protocol = protocols.pop()
        tables = {m["name"]: load_map(m["map"]) for m in meters}
        first = tables[meters[0]["name"]]
        settings = LineSettings(*first["line"]) if "line" in first else _DEFAULT_LINES[protocol]
        line = Line(port["name"], settings)
        line.gateway_settings = LineSettings(
            port.get("baud", 9600),
            port.get("bits", 8),
            port.get("parity", "N"),
            port.get("stop", 1),
        )
        end = MeterEnd(line)
        line.tap = ATTACH[protocol](self, end, meters, tables)
        for meter in meters:
            self.rules[meter["name"]] = Rule(
                meter.get("interval_s", 10) * 1000,
                protocol not in ASKING,
                frozenset(row[0] for row in chosen_points(meter, tables[meter["name"]])),
            )
        self.lines[port["name"]] = line
        self._ends.append(end)
        self.uarts[port["uart"]] = line.gateway_path

    def quantities(self, meter: str, **options: Any) -> Quantities:
        """Return what one meter of this site measures."""
        return Quantities(self.day, meter, **options)

    def faults(self, meter: str) -> MeterFaults:
        """Return what goes wrong at one meter, by the site's seed."""
        return MeterFaults(self.fault_seed + sum(meter.encode()), self.fault_share)

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

    def end_frames(self) -> None:
        """Enter into the ledger what meters had said when they were switched off."""
        for line in self.lines.values():
            if isinstance(line.tap, StreamTap):
                line.tap.silence()
            elif isinstance(line.tap, RadarTap):
                line.tap.pass_time(time.time_ns() // 1_000_000)

    def set_power(self, on: bool) -> None:
        """Tell every line whether the gateway has power."""
        for line in self.lines.values():
            line.set_power(on)

    def close(self) -> None:
        """Stop and close all; call it in the loop's thread."""
        for end in self._ends:
            end.close()
        for line in self.lines.values():
            line.close()


def _clock_s(text: str) -> float:
    hours, _, minutes = text.partition(":")
    return int(hours) * 3600.0 + int(minutes or 0) * 60.0


def kind_name(kind: int | str) -> str:
    """Return a kind of a map row in words: maps write it as a word or as its number."""
    return kind if isinstance(kind, str) else KIND_NAMES[kind]


def chosen_points(meter: Mapping[str, Any], table: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a map that a meter's configuration journals: texts never are."""
    wanted = meter.get("points") or [row[0] for row in table["points"]]
    return [
        row
        for row in table["points"]
        if row[0] in wanted and kind_name(row[3]) != KIND_NAMES[TEXT]
    ]


_Meters = list[Mapping[str, Any]]
_Tables = Mapping[str, Mapping[str, Any]]


def _attach_modbus(
    site: SimulatedSite, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    tapped = {}
    for meter in meters:
        table = tables[meter["name"]]
        unit = int(meter.get("options", {}).get("unit", table.get("unit", 1)))
        series, site.series = site.series, None  # drives the first Modbus meter only
        quantities = site.quantities(meter["name"], series=series)
        units = {row[0]: row[1] for row in table["points"]}

        def value(name: str, now_s: float, q: Quantities = quantities, u: Any = units) -> Any:
            return q.value(name, u[name], now_s)

        simulated: ModbusMeter | PymodbusMeter = ModbusMeter(dict(table), unit, value)
        if meter["name"] in site.pymodbus:
            simulated = PymodbusMeter(table, unit, value)
            end.serve(simulated)
        end.answer(simulated.received, simulated.silence)
        tapped[unit] = Tapped(meter["name"], table)
    return ModbusTap(tapped, site.ledger)


def _attach_mbus(
    site: SimulatedSite, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    tapped = {}
    for number, meter in enumerate(meters, 1):
        name, table = meter["name"], tables[meter["name"]]
        options = meter.get("options", {})
        address = int(options.get("address", number))
        simulated = MBusMeter(
            table,
            address,
            site.quantities(name).value,
            identity=str(options.get("secondary", "")),
            faults=site.faults(name),
        )
        end.answer(simulated.received, simulated.silence)
        tapped[address] = (name, table)
    return MBusTap(tapped, site.ledger)


def _attach_tic(
    site: SimulatedSite, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    table = tables[meter["name"]]
    if site.capture:
        end.push(TicCapture(site.capture).frame)
    else:
        end.push(TicMeter(table, site.quantities(meter["name"], phases=1).value).frame)
    return StreamTap(meter["name"], site.ledger, tic_frame(table["points"]))


def _attach_level(
    site: SimulatedSite, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    table = tables[meter["name"]]
    end.push(LevelMeter(table, site.quantities(meter["name"]).value).frame)
    options = meter.get("options", {})
    depth = options.get("empty_mm", 0), options.get("full_mm", 0)
    return StreamTap(meter["name"], site.ledger, level_frame(table, *depth))


def _attach_radar(
    site: SimulatedSite, end: MeterEnd, meters: _Meters, tables: _Tables
) -> Callable[[Piece], None]:
    meter = _only(meters)
    end.push(RadarMeter(site.day, meter["name"]).frame)
    interval_s = int(meter.get("interval_s", 10))
    return RadarTap(meter["name"], site.ledger, tables[meter["name"]], interval_s)


def _only(meters: _Meters) -> Mapping[str, Any]:
    """Return the one meter of a line on which meters speak unasked."""
    if len(meters) > 1:
        names = ", ".join(str(meter["name"]) for meter in meters)
        raise Problem(
            f"{names} share {meters[0]['port']}, and each speaks when it likes",
            "give each a port of its own",
            code=INPUT,
        )
    return meters[0]


def match_capture(gateway: dict[str, Any], capture: bytes) -> None:
    """Change the gateway's first TIC meter so that it reads this capture: map, points, rate."""
    for meter in gateway["meters"]:
        if meter["protocol"] == "tic":
            meter["map"], baud = map_of(capture)
            labels = labels_of(capture)
            meter["points"] = [
                row[0]
                for row in load_map(meter["map"])["points"]
                if row[4].split(".")[0] in labels and kind_name(row[3]) != KIND_NAMES[TEXT]
            ]
            for port in gateway["ports"]:
                if port["name"] == meter["port"]:
                    port |= {"baud": baud, "bits": 7, "parity": "E", "stop": 1}
            return
    raise Problem(
        "no meter of this site speaks TIC", "give a site with one, or leave --tic out", code=INPUT
    )


ATTACH: dict[str, Callable[..., Callable[[Piece], None]]] = {
    "modbus": _attach_modbus,
    "tic": _attach_tic,
    "level": _attach_level,
    "mbus": _attach_mbus,
    "radar": _attach_radar,
}
ASKING = {"modbus", "mbus"}
