"""One demonstration: simulated meters, a gateway on MicroPython, broker, collector, verdict.

Not the page (host_tools/page.py) nor the command (commands/demo.py): this starts the parts,
presses the buttons, keeps the numbers and stops everything. A part that cannot start is named in
`figures().parts`; the others go on, and the part is tried again.

    with Demo(load_site(path), Path(".run/demo")) as demo:
        demo.cut_power()
        ...
        demo.settle(90)                  # meters off, everything on its way has arrived
        demo.result()                    # the JSON of `eclor demo`
"""

import asyncio
import copy
import json
import random
import secrets
import shutil
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from agent.mac import KEY_BYTES
from drivers import load_map
from host_tools.collect import queries, senml
from host_tools.collect.collector import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.demo.papers import HOST, make_papers
from host_tools.packing import image
from host_tools.page.view import Figures, MeterView, PointView
from host_tools.problems import Problem
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.attach import chosen_points, kind_name
from host_tools.sim.board import EmulatedBoard
from host_tools.sim.ledger import Ledger
from host_tools.sim.network import MANNERS, Network
from host_tools.sim.oracle import NEAR_MS, Stored, Verdict, judge, read_database
from host_tools.sim.plan import SiteFile, match_capture, read_capture
from host_tools.sim.site import SimulatedSite

POWER_OFF_S = 3.0
NETWORK_OFF_S = 10.0
GARBLED_S = 3.0
_RETRY_S = 5.0
_LINES_KEPT = 2000
_WINDOW_MS = 300_000  # what is older is judged once and for all
_MARGIN_MS = 70_000  # neighbours in time that a judgement looks at: an interval and more, and
# the time for which a value may be held


@dataclass
class _Kept:
    """What the watching thread found last."""

    figures: Figures = field(default_factory=Figures)
    verdict: Verdict = field(default_factory=Verdict)
    gateway: dict[str, Any] = field(default_factory=dict)


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
        self.gateway = str(site_file.gateway["gateway"])
        self.chaos_events: Counter[str] = Counter()
        self._folder = folder
        self._configuration = copy.deepcopy(site_file.gateway)
        if capture:
            match_capture(self._configuration, read_capture(capture))
        self._simulation = site_file.simulation
        self._series = series
        self._capture = capture
        self._on_line = on_line
        self._seed = chaos
        self._tls = tls
        self._key = secrets.token_bytes(KEY_BYTES) if tls else b""
        self._own_files: dict[str, bytes] = {}  # the gateway's certificates on its flash
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._parts: dict[str, str] = {}
        self._kept = _Kept()
        self._closed = Verdict()
        self._margin_ms = _MARGIN_MS + 1000 * max(
            (
                row.get("silence_s", 900)
                for meter in site_file.gateway["meters"]
                for row in meter.get("thin") or ()
            ),
            default=0,
        )
        self._closed_to_ms = time.time_ns() // 1_000_000 - self._margin_ms  # none has spoken yet
        self._ending = threading.Event()
        self._calm = threading.Event()  # no more chaos
        self._cutting = threading.Lock()
        self._looking = threading.Lock()
        self._is_final = False  # what was found last stands
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="lines")
        self._watch_thread = threading.Thread(target=self._watch, name="watch")
        self._chaos_thread = threading.Thread(target=self._press_at_random, name="chaos")
        self._pressed: set[str] = set()
        self._board: EmulatedBoard | None = None
        self._collector: Collector | None = None
        self._network: Network | None = None
        self._begun_s = time.monotonic()
        self.meters: Sequence[MeterView] = [
            _meter_view(meter, self._configuration) for meter in self._configuration["meters"]
        ]

    # --- start and end

    def __enter__(self) -> "Demo":
        """Start every part."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True)
        self.database = self._folder / "readings.db"
        self.ledger = Ledger(self._folder / "ledger.jsonl")
        self._simulated = SimulatedSite(
            self._configuration,
            self._simulation,
            self.ledger,
            series=self._series,
            capture=self._capture,
        )
        self._supervisor = Supervisor()
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def _start(self) -> None:
        self._loop_thread.start()
        papers = None
        if self._tls:
            papers, self._own_files = make_papers(self._folder / "papers", self.gateway)
        self._broker = Broker(self._supervisor, self._folder / "broker", papers=papers)
        self._try("broker", self._broker.start)
        self._try("collector", self._start_collector)
        network = self._network = Network(self._broker.mqtt_port)
        self._in_loop(network.start())
        self._call(self._simulated.start, self._loop)
        self._parts["lines"] = "up"
        self._try("gateway", self._start_gateway)
        self._watch_thread.start()
        if self._seed is not None:
            self._chaos_thread.start()

    def _start_gateway(self) -> None:
        assert self._network is not None
        flash = self._folder / "gateway.img"
        configuration = self._device_configuration(self._network.port)
        image.build(flash, configuration, files=self._own_files)
        self._board = EmulatedBoard(
            self._supervisor, flash, self._simulated.uarts, on_line=self._line
        )
        self._board.power_on()

    def _device_configuration(self, port: int) -> dict[str, Any]:
        configuration = dict(self._configuration)
        uplink = dict(configuration.get("uplink") or {})
        uplink |= {"kind": "mqtt", "host": "127.0.0.1", "port": port, "tls": False}
        if self._tls:
            uplink |= {"host": HOST, "tls": True, "key": self._key.hex()}
            uplink |= {"ca": "/flash/ca.der", "cert": "/flash/gw.der"}
            uplink["cert_key"] = "/flash/gw.key.der"
        configuration["uplink"] = {"keepalive_s": 10, "state_s": 1} | uplink
        return configuration

    def _try(self, part: str, start: Callable[[], None]) -> None:
        """Start a part; say plainly when it cannot."""
        try:
            start()
            self._parts[part] = "up"
        except Problem as problem:
            sentence = f"absent: {problem.what}"
            if self._parts.get(part) != sentence:
                self._line(f"demo: {part} {sentence}; {problem.remedy}")
            self._parts[part] = sentence

    def _start_collector(self) -> None:
        url = f"sqlite:///{self.database}"
        if self._tls:  # nats-server has one MQTT listener, and that asks for a certificate
            keys = {self.gateway: self._key}
            node = f"nats://127.0.0.1:{self._broker.client_port}"
            collector = Collector(
                "127.0.0.1",
                self._broker.client_port,
                url,
                source=lambda change: JetStream([node], "eclor-collector", change, keys),
            )
        else:
            collector = Collector("127.0.0.1", self._broker.mqtt_port, url)
        collector.start()
        self._collector = collector

    def _line(self, line: str) -> None:
        self._lines.append(line)
        if self._on_line:
            self._on_line(line)

    def _in_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a plain function in the loop's thread; return what it returns."""

        async def run() -> Any:
            return function(*arguments)

        return self._in_loop(run())

    def close(self) -> None:
        """Stop every part; nothing of it runs afterwards."""
        self._ending.set()
        for thread in (self._watch_thread, self._chaos_thread):
            if thread.is_alive():
                thread.join()
        if self._board:
            self._board.power_cut()
        if self._collector:
            self._collector.stop()
        self._supervisor.close()
        if self._loop_thread.is_alive():
            if self._network:
                self._in_loop(self._network.close())
            self._call(self._simulated.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop_thread.join()
        self._loop.close()
        self.ledger.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every part."""
        self.close()

    # --- the buttons

    def cut_power(self) -> None:
        """Kill the gateway at once; its power returns after 3 s."""
        self._press("power", self._cut_power, POWER_OFF_S, self._return_power)

    def cut_network(self, manner: str = "silent") -> None:
        """Part the gateway from the broker for 10 s; manner: host_tools/sim/network.py."""
        network = self._network
        if network:
            self._press(
                "network",
                lambda: self._call(network.cut, manner),
                NETWORK_OFF_S,
                lambda: self._call(network.restore),
            )

    def garble_line(self) -> None:
        """Damage bytes on every serial line for 3 s."""

        def garble() -> None:
            for line in self._simulated.lines.values():
                line.garble(GARBLED_S)

        self._press("line", garble, GARBLED_S, lambda: None)

    def _press(
        self, what: str, begin: Callable[[], None], seconds: float, end: Callable[[], None]
    ) -> None:
        with self._cutting:
            if what in self._pressed or self._ending.is_set():
                return
            self._pressed.add(what)
        self.chaos_events[what] += 1
        verb = "garbled" if what == "line" else "cut"
        self._line(f"demo: {what} {verb} for {seconds:.0f} s")

        def run() -> None:
            begin()
            self._ending.wait(seconds)
            if not self._ending.is_set():
                end()
            with self._cutting:
                self._pressed.discard(what)

        threading.Thread(target=run, name=f"button-{what}", daemon=True).start()

    def _cut_power(self) -> None:
        if self._board:
            self._board.power_cut()
        self._call(self._simulated.set_power, False)

    def _return_power(self) -> None:
        self._call(self._simulated.set_power, True)
        if self._board:
            self._try("gateway", self._board.power_on)

    def _press_at_random(self) -> None:
        """Press a button every 4 to 14 s; each of the three once before any of them twice."""
        chance = random.Random(self._seed)
        buttons: list[str] = []
        while not self._calm.wait(chance.uniform(4, 14)):
            if not buttons:
                buttons = chance.sample(("power", "network", "line"), 3)
            button = buttons.pop()
            if button == "power":
                self.cut_power()
            elif button == "network":
                self.cut_network(chance.choice(MANNERS))
            else:
                self.garble_line()

    # --- what is known

    def figures(self) -> Figures:
        """Return the newest numbers."""
        return self._kept.figures

    def curve(self, meter: str, point: str, seconds: int) -> list[tuple[float, float | None]]:
        """Return the stored values of the last seconds, oldest first; None is a declared gap."""
        if not self._collector:
            return []
        since_ms = int((time.time() - seconds) * 1000)
        return queries.curve(self._collector.engine, meter, point, since_ms)

    @property
    def gateway_process(self) -> int | None:
        """The process that is the gateway; None while it has no power."""
        return self._board.process_id if self._board else None

    def log_lines(self, count: int) -> list[str]:
        """Return the newest lines, oldest first."""
        return list(self._lines)[-count:]

    def _watch(self) -> None:
        """Compute the figures once a second; try absent parts again."""
        retry_s = time.monotonic() + _RETRY_S
        while not self._ending.wait(1.0):
            if time.monotonic() > retry_s:
                retry_s = time.monotonic() + _RETRY_S
                self._retry()
            self._look(final=False)

    def _retry(self) -> None:
        if not self._broker.running:
            self._try("broker", self._broker.start)
        if not self._collector:
            self._try("collector", self._start_collector)

    def _look(self, *, final: bool) -> None:
        with self._looking:
            if not self._is_final:
                self._is_final = final
                self._see(final=final)

    def _see(self, *, final: bool) -> None:
        stored = Stored()
        gateway: dict[str, Any] = {}
        if self._collector:
            since_ms = max(0, self._closed_to_ms - self._margin_ms)
            try:
                stored = read_database(self.database, self.gateway, since_ms)
                gateway = read_gateway(self.database, self.gateway)
            except sqlite3.OperationalError as error:
                self._parts["collector"] = f"absent: {error}"
        if final:  # a gateway goes on telling of silent meters: what is on its way is left out
            stored.rows = [row for row in stored.rows if row.in_order]
            newest_ms = {row.meter: row.at_ms for row in stored.rows}
            self._call(self._simulated.end_frames, newest_ms)
        verdict = self._judge(stored, final=final)
        state = gateway.get("state") or {}
        self._note_parts(gateway or self._kept.gateway)
        heap = state.get("heap")
        peak = max(self._kept.figures.heap_peak_bytes or 0, state.get("heap_peak", heap) or 0)
        engine = self._collector.engine if self._collector else None
        acked_ms = gateway.get("acked_ms")
        with self._cutting:
            pressed = set(self._pressed)
        self._kept = _Kept(
            Figures(
                running_s=time.monotonic() - self._begun_s,
                power="cut" if "power" in pressed else "on",
                network="cut" if "network" in pressed else "up",
                line="garbled" if "line" in pressed else "clean",
                parts=dict(self._parts),
                runtime=gateway.get("runtime"),
                journal_permille=state.get("journal"),
                in_flight=state.get("in_flight"),
                heap_bytes=heap,
                heap_peak_bytes=peak or None,
                stored=stored.readings,
                last_ack_s=time.time() - acked_ms / 1000 if acked_ms else None,
                bytes_per_reading=(
                    stored.record_bytes / stored.readings if stored.readings else None
                ),
                senml_bytes_per_reading=(senml.bytes_per_reading(engine) if engine else None),
                answered=verdict.answered,
                lost=verdict.lost,
                duplicated=verdict.duplicated + stored.doubled_records,
                altered=verdict.altered,
                declared=dict(verdict.declared),
            ),
            verdict,
            gateway,
        )

    def _judge(self, stored: Stored, *, final: bool) -> Verdict:
        """Judge what is open; close the window before when it is old enough."""
        answers = self.ledger.answers()
        rules = self._simulated.rules
        newest_ms = [
            max((row.at_ms for row in stored.rows if row.meter == meter), default=0)
            for meter in rules
        ]
        end_ms = self._closed_to_ms + _WINDOW_MS
        if min(newest_ms, default=0) > end_ms + self._margin_ms:
            self._closed.add(
                judge(answers, stored, rules, final=True, from_ms=self._closed_to_ms, to_ms=end_ms)
            )
            self._closed_to_ms = end_ms
            self.ledger.forget_before(end_ms - self._margin_ms)
        verdict = Verdict()
        verdict.add(self._closed)
        verdict.add(judge(answers, stored, rules, final=final, from_ms=self._closed_to_ms))
        return verdict

    def _note_parts(self, gateway: Mapping[str, Any]) -> None:
        if self._board:
            if self._board.failed:
                self._parts["gateway"] = f"absent: {self._board.failed}"
            elif not self._board.running:
                self._parts["gateway"] = "without power"
            elif not gateway:
                self._parts["gateway"] = "runs, not heard of yet"
            else:
                self._parts["gateway"] = "up"
        if self._parts.get("broker") == "up" and not self._broker.running:
            self._parts["broker"] = "absent: it ended"

    # --- the end

    def settle(self, seconds: float) -> bool:
        """End the chaos, switch the meters off, wait until everything on its way is stored.

        The sign is a row of each meter that was due after the meters fell silent, and no record
        missing before it. Returns False when that did not come within so many seconds.
        """
        self._calm.set()
        deadline_s = time.monotonic() + seconds
        while self._pressed and time.monotonic() < deadline_s:
            self._ending.wait(0.1)
        self._call(self._simulated.stop_meters)
        silent_ms = time.time_ns() // 1_000_000 + NEAR_MS
        self._line("demo: meters off, waiting for what is on its way")
        settled = False
        while not settled and time.monotonic() < deadline_s and not self._ending.wait(0.5):
            if any(sentence.startswith("absent") for sentence in self._parts.values()):
                break  # nothing more can come
            stored = Stored()
            if self._collector:
                stored = read_database(self.database, self.gateway, silent_ms)
            settled = set(self._simulated.rules) <= {r.meter for r in stored.rows if r.in_order}
        self._look(final=True)
        return settled

    def result(self) -> dict[str, Any]:
        """Return what `eclor demo --json` prints, after settle()."""
        figures, verdict = self._kept.figures, self._kept.verdict
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
            "starts": self._board.starts if self._board else 0,
            "chaos": dict(self.chaos_events),
            "parts": figures.parts,
            "examples": verdict.examples,
        }


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


def read_gateway(path: Path, name: str) -> dict[str, Any]:
    """Return what the collector last heard of a gateway: runtime, state (a dict), acked_ms."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        row = connection.execute(
            "SELECT g.runtime, g.state, MAX(j.acked_ms) FROM gateway g"
            " LEFT JOIN journal j ON j.gateway_id = g.id WHERE g.name = ? GROUP BY g.id",
            (name,),
        ).fetchone()
    finally:
        connection.close()
    if not row:
        return {}
    return {
        "runtime": row[0] or None,
        "state": json.loads(row[1]) if row[1] else {},
        "acked_ms": row[2],
    }
