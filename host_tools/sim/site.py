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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers import load_map
from host_tools.problems import INPUT, Problem
from host_tools.sim.attach import ASKING, ATTACH, DEFAULT_LINES, chosen_points
from host_tools.sim.input_meter import InputTap
from host_tools.sim.ledger import Ledger
from host_tools.sim.lines import Line, LineSettings
from host_tools.sim.loads import Day, Quantities, Series
from host_tools.sim.meter_faults import MeterFaults
from host_tools.sim.oracle import Rule
from host_tools.sim.pymodbus_meter import PymodbusMeter
from host_tools.sim.radar_meter import RadarTap
from host_tools.sim.taps import StreamTap
from host_tools.sim.thinning import thinning

_REQUEST_GAP_S = 0.05  # silence after which a simulated meter forgets a half request
_INPUTS = {"pulse", "contact"}  # share a port

Pieces = Sequence[tuple[float, bytes | LineSettings]]


class MeterEnd:
    """The meters' end of a line: hands them what the gateway sends, and writes what they say."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.silent = False  # the meters are switched off
        self._receivers: list[Callable[[bytes, float], Pieces]] = []
        self._silences: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._pushers: list[tuple[Callable[[float], tuple[bytes, float]], MeterFaults]] = []
        self._servers: list[PymodbusMeter] = []
        self._last_s = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._descriptor = -1

    def answer(
        self,
        received: Callable[[bytes, float], Pieces],
        silence: Callable[[], None],
    ) -> None:
        """Add a meter that answers: received(data, now_s) -> [(delay_ms, data or a new speed)]."""
        self._receivers.append(received)
        self._silences.append(silence)

    def push(
        self, frame: Callable[[float], tuple[bytes, float]], faults: MeterFaults | None = None
    ) -> None:
        """Add a meter that speaks unasked: frame(now_s) -> (data, pause_s after its last byte)."""
        self._pushers.append((frame, faults or MeterFaults()))

    def serve(self, meter: PymodbusMeter) -> None:
        """Let a meter run that has a server of its own; answer() hands it what is asked."""
        self._servers.append(meter)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin; call it in the loop's thread."""
        self._loop = loop
        self._descriptor = os.open(self.line.meter_path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        loop.add_reader(self._descriptor, self._read)
        self._tasks = [loop.create_task(self._pushing(*p)) for p in self._pushers]
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

    def _write(self, data: bytes | LineSettings) -> None:
        if isinstance(data, LineSettings):
            self.line.settings = data
        elif not self.silent and self._descriptor >= 0:
            with contextlib.suppress(BlockingIOError):
                os.write(self._descriptor, data)

    def say(self, data: bytes) -> None:
        """Put bytes on the line now; call it in the loop's thread."""
        self._write(data)

    async def _pushing(
        self, frame: Callable[[float], tuple[bytes, float]], faults: MeterFaults
    ) -> None:
        while True:
            data, pause_s = frame(time.time())
            begun_ms = 0.0
            for delay_ms, piece in faults.apply(data):
                await asyncio.sleep((delay_ms - begun_ms) / 1000)
                begun_ms = delay_ms
                self._write(piece)
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
        line.tap = ATTACH[protocol](self, end, meters, tables)
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


def _clock_s(text: str) -> float:
    hours, _, minutes = text.partition(":")
    return int(hours) * 3600.0 + int(minutes or 0) * 60.0
