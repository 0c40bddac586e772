"""One demonstration: simulated meters, a gateway on MicroPython, broker, collector, verdict.

Not the page (host_tools/page/live.py) nor the command (commands/demo.py). Its parts are world.py,
who cuts them is buttons.py, what came of it is watch.py.

    with Demo(load_site(path), Path(".run/demo")) as demo:
        demo.cut_power()
        ...
        demo.settle(90)                  # meters off, everything on its way has arrived
        demo.result()                    # the JSON of `eclor demo`
"""

import copy
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers import load_map
from host_tools.collect import queries
from host_tools.demo.buttons import Buttons
from host_tools.demo.watch import Watch
from host_tools.demo.world import World
from host_tools.page.view import Figures, MeterView, PointView
from host_tools.sim.attach import chosen_points, kind_name
from host_tools.sim.oracle import NEAR_MS, Stored, read_database
from host_tools.sim.plan import SiteFile, match_capture, read_capture
from host_tools.sim.thinning import SILENCE_S

_RETRY_S = 5.0


class Demo:
    """A running demonstration; it is the View of host_tools/page/view.py. Use it in a `with`."""

    def __init__(
        self,
        site_file: SiteFile,
        folder: Path,
        *,
        series: Path | None = None,
        capture: Path | None = None,
        chaos: int | None = None,
        tls: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """folder: emptied, then holds image, database, ledger and the broker's messages.

        series, capture: host_tools/sim/site.py. chaos: the seed by which the three buttons
        are pressed at random. tls: the broker takes TLS with certificates of both sides only,
        acknowledgements bear a MAC, and the collector reads the broker's stream. on_line: gets
        each log line.
        """
        self.site = site_file.name
        configuration = copy.deepcopy(site_file.gateway)
        if capture:
            match_capture(configuration, read_capture(capture))
        self.meters: Sequence[MeterView] = [
            _meter_view(meter, configuration) for meter in configuration["meters"]
        ]
        self.world = World(
            configuration,
            site_file.simulation,
            folder,
            series=series,
            capture=capture,
            tls=tls,
            on_line=on_line,
        )
        self.gateway = self.world.gateway
        self.buttons = Buttons(self.world, chaos)
        self._watch = Watch(self.world, _longest_silence_s(configuration))
        self._tls = tls
        self._ending = threading.Event()
        self._watch_thread = threading.Thread(target=self._look_again, name="watch")

    def __enter__(self) -> "Demo":
        """Start every part."""
        self.world.start()
        self._watch_thread.start()
        self.buttons.start()
        return self

    def close(self) -> None:
        """Stop every part; nothing of it runs afterwards."""
        self._ending.set()
        self.buttons.close()
        if self._watch_thread.is_alive():
            self._watch_thread.join()
        self.world.close()

    def __exit__(self, *_: object) -> None:
        """Stop every part."""
        self.close()

    # --- what a page shows and presses

    def cut_power(self) -> None:
        """Kill the gateway at once; its power returns after 3 s."""
        self.buttons.cut_power()

    def cut_network(self, manner: str = "silent") -> None:
        """Part the gateway from the broker for 10 s; manner: host_tools/sim/network.py."""
        self.buttons.cut_network(manner)

    def garble_line(self) -> None:
        """Damage bytes on every serial line for 3 s."""
        self.buttons.garble_line()

    def figures(self) -> Figures:
        """Return the newest numbers."""
        return self._watch.figures

    def curve(self, meter: str, point: str, seconds: int) -> list[tuple[float, float | None]]:
        """Return the stored values of the last seconds, oldest first; None is a declared gap."""
        collector = self.world.collector
        if not collector:
            return []
        since_ms = int((time.time() - seconds) * 1000)
        return queries.curve(collector.engine, meter, point, since_ms)

    def log_lines(self, count: int) -> list[str]:
        """Return the newest lines, oldest first."""
        return self.world.log_lines(count)

    @property
    def database(self) -> Path:
        """The collector's database."""
        return self.world.database

    @property
    def gateway_process(self) -> int | None:
        """The process that is the gateway; None while it has no power."""
        return self.world.board.process_id if self.world.board else None

    # --- what is found

    def look(self, *, final: bool = False) -> None:
        """Find the numbers anew. final: judge all; from then on they stand."""
        self._watch.look(pressed=self.buttons.pressed, final=final)

    def _look_again(self) -> None:
        """Find the numbers once a second; try absent parts again."""
        retry_s = time.monotonic() + _RETRY_S
        while not self._ending.wait(1.0):
            if time.monotonic() > retry_s:
                retry_s = time.monotonic() + _RETRY_S
                self.world.retry()
            self.look()

    # --- the end

    def settle(self, seconds: float) -> bool:
        """End the chaos, switch the meters off, wait until everything on its way is stored.

        The sign is a row of each meter that was due after the meters fell silent, and no record
        missing before it. Returns False when that did not come within so many seconds.
        """
        world = self.world
        self.buttons.calm()
        deadline_s = time.monotonic() + seconds
        while self.buttons.pressed and time.monotonic() < deadline_s:
            self._ending.wait(0.1)
        world.call(world.site.stop_meters)
        silent_ms = time.time_ns() // 1_000_000 + NEAR_MS
        world.line("demo: meters off, waiting for what is on its way")
        settled = False
        while not settled and time.monotonic() < deadline_s and not self._ending.wait(0.5):
            if any(sentence.startswith("absent") for sentence in world.parts.values()):
                break  # nothing more can come
            stored = Stored()
            if world.collector:
                stored = read_database(world.database, self.gateway, silent_ms)
            settled = set(world.site.rules) <= {r.meter for r in stored.rows if r.in_order}
        self.look(final=True)
        return settled

    def result(self) -> dict[str, Any]:
        """Return what `eclor demo --json` prints, after settle()."""
        figures, verdict = self._watch.figures, self._watch.verdict
        return {
            "site": self.site,
            "gateway": self.gateway,
            "runtime": figures.runtime,
            "tls": self._tls,
            "seconds": round(figures.running_s, 1),
            "answered": figures.answered,
            "stored": figures.stored,
            "lost": figures.lost,
            "duplicated": figures.duplicated,
            "altered": figures.altered,
            "declared": sum(figures.declared.values()),
            "declared_causes": figures.declared,
            "superseded": verdict.superseded,
            "garbled": verdict.garbled,
            "bytes_per_reading": _rounded(figures.bytes_per_reading),
            "senml_bytes_per_reading": _rounded(figures.senml_bytes_per_reading),
            "heap_peak_bytes": figures.heap_peak_bytes,
            "starts": self.world.board.starts if self.world.board else 0,
            "chaos": dict(self.buttons.counts),
            "parts": figures.parts,
            "examples": verdict.examples,
        }


def _longest_silence_s(gateway: Mapping[str, Any]) -> int:
    """Return for how long a value may be held at most, in s; 0 where none may."""
    rows = [row for meter in gateway["meters"] for row in meter.get("thin") or ()]
    return max((row.get("silence_s", SILENCE_S) for row in rows), default=0)


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)


def _meter_view(meter: Mapping[str, Any], gateway: Mapping[str, Any]) -> MeterView:
    table = load_map(meter["map"])
    port = next(p for p in gateway["ports"] if p["name"] == meter["port"])
    parity, bits, stop = port.get("parity", "N"), port.get("bits", 8), port.get("stop", 1)
    line = f"{port.get('baud', 9600)} {bits}{parity}{stop}"
    return MeterView(
        name=meter["name"],
        protocol=meter["protocol"],
        map=meter["map"],
        port=meter["port"],
        line=line + (", RS-485" if port.get("rs485") else ""),
        interval_s=meter.get("interval_s", 10),
        points=tuple(
            PointView(row[0], row[1], row[2], kind_name(row[3]))
            for row in chosen_points(meter, table)
        ),
    )
