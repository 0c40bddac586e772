"""The parts of a demonstration: simulated site, gateway, network, broker, collector.

This starts them, cuts and returns power and network, and stops them. A part that cannot start is
named in `parts`; the others go on, and retry() tries it again. Not here: when a cut comes
(buttons.py), what was stored and lost (watch.py).

    world = World(configuration, simulation, folder)
    world.start()
    world.cut_power()
    world.close()
"""

import asyncio
import secrets
import shutil
import threading
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.mac import KEY_BYTES
from host_tools.collect.collector import Collector
from host_tools.collect.jetstream import JetStream
from host_tools.demo.papers import HOST, make_papers
from host_tools.packing import image
from host_tools.problems import Problem
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.board import EmulatedBoard
from host_tools.sim.ledger import Ledger
from host_tools.sim.network import Network
from host_tools.sim.site import SimulatedSite

_LINES_KEPT = 2000


class World:
    """Everything that runs; any thread may call what is public here."""

    def __init__(
        self,
        configuration: dict[str, Any],
        simulation: Mapping[str, Any],
        folder: Path,
        *,
        series: Path | None = None,
        capture: Path | None = None,
        tls: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """configuration: the gateway's, as on its flash. The rest: demonstration.py."""
        self.gateway = str(configuration["gateway"])
        self.parts: dict[str, str] = {}
        self.collector: Collector | None = None
        self.board: EmulatedBoard | None = None
        self._configuration = configuration
        self._simulation = simulation
        self._folder = folder
        self._series = series
        self._capture = capture
        self._tls = tls
        self._key = secrets.token_bytes(KEY_BYTES) if tls else b""
        self._own_files: dict[str, bytes] = {}  # the gateway's certificates on its flash
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._network: Network | None = None
        self._loop = asyncio.new_event_loop()
        self._loop_thread = threading.Thread(target=self._loop.run_forever, name="lines")

    # --- start and end

    def start(self) -> None:
        """Empty the folder and start every part; closes what runs when that cannot be."""
        if self._folder.exists():
            shutil.rmtree(self._folder)
        self._folder.mkdir(parents=True)
        self.database = self._folder / "readings.db"
        self.ledger = Ledger(self._folder / "ledger.jsonl")
        self.site = SimulatedSite(
            self._configuration,
            self._simulation,
            self.ledger,
            series=self._series,
            capture=self._capture,
        )
        self._supervisor = Supervisor()
        try:
            self._start_parts()
        except BaseException:
            self.close()
            raise

    def _start_parts(self) -> None:
        self._loop_thread.start()
        papers = None
        if self._tls:
            papers, self._own_files = make_papers(self._folder / "papers", self.gateway)
        self.broker = Broker(self._supervisor, self._folder / "broker", papers=papers)
        self._try("broker", self.broker.start)
        self._try("collector", self._start_collector)
        network = self._network = Network(self.broker.mqtt_port)
        self._in_loop(network.start())
        self.call(self.site.start, self._loop)
        self.parts["lines"] = "up"
        self._try("gateway", self._start_gateway)

    def _start_gateway(self) -> None:
        assert self._network is not None
        flash = self._folder / "gateway.img"
        configuration = self._device_configuration(self._network.port)
        image.build(flash, configuration, files=self._own_files)
        self.board = EmulatedBoard(self._supervisor, flash, self.site.uarts, on_line=self.line)
        self.board.power_on()

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

    def _start_collector(self) -> None:
        url = f"sqlite:///{self.database}"
        if self._tls:  # nats-server has one MQTT listener, and that asks for a certificate
            keys = {self.gateway: self._key}
            node = f"nats://127.0.0.1:{self.broker.client_port}"
            collector = Collector(
                "127.0.0.1",
                self.broker.client_port,
                url,
                source=lambda change: JetStream([node], "eclor-collector", change, keys),
            )
        else:
            collector = Collector("127.0.0.1", self.broker.mqtt_port, url)
        collector.start()
        self.collector = collector

    def _try(self, part: str, start: Callable[[], None]) -> None:
        """Start a part; say plainly when it cannot."""
        try:
            start()
            self.parts[part] = "up"
        except Problem as problem:
            sentence = f"absent: {problem.what}"
            if self.parts.get(part) != sentence:
                self.line(f"demo: {part} {sentence}; {problem.remedy}")
            self.parts[part] = sentence

    def retry(self) -> None:
        """Start again what is absent."""
        if not self.broker.running:
            self._try("broker", self.broker.start)
        if not self.collector:
            self._try("collector", self._start_collector)

    def close(self) -> None:
        """Stop every part; nothing of it runs afterwards."""
        if self.board:
            self.board.power_cut()
        if self.collector:
            self.collector.stop()
        self._supervisor.close()
        if self._loop_thread.is_alive():
            if self._network:
                self._in_loop(self._network.close())
            self.call(self.site.close)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop_thread.join()
        self._loop.close()
        self.ledger.close()

    # --- what can be cut

    def cut_power(self) -> None:
        """Kill the gateway at once."""
        if self.board:
            self.board.power_cut()
        self.call(self.site.set_power, False)

    def return_power(self) -> None:
        """Let the gateway start."""
        self.call(self.site.set_power, True)
        if self.board:
            self._try("gateway", self.board.power_on)

    def cut_network(self, manner: str) -> None:
        """Part the gateway from the broker; manner: host_tools/sim/network.py."""
        if self._network:
            self.call(self._network.cut, manner)

    def return_network(self) -> None:
        """Let the gateway reach its broker."""
        if self._network:
            self.call(self._network.restore)

    def garble_lines(self, seconds: float) -> None:
        """Damage bytes on every serial line."""
        for line in self.site.lines.values():
            line.garble(seconds)

    # --- what it says

    def line(self, line: str) -> None:
        """Keep a log line, and show it to who wants them."""
        self._lines.append(line)
        if self._on_line:
            self._on_line(line)

    def log_lines(self, count: int) -> list[str]:
        """Return the newest lines, oldest first."""
        return list(self._lines)[-count:]

    def note_parts(self, *, heard: bool) -> None:
        """Look how the gateway and the broker are; heard: whether the collector knows it."""
        if self.board:
            if self.board.failed:
                self.parts["gateway"] = f"absent: {self.board.failed}"
            elif not self.board.running:
                self.parts["gateway"] = "without power"
            else:
                self.parts["gateway"] = "up" if heard else "runs, not heard of yet"
        if self.parts.get("broker") == "up" and not self.broker.running:
            self.parts["broker"] = "absent: it ended"

    # --- the lines' thread

    def _in_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Run a plain function in the thread of the lines; return what it returns."""

        async def run() -> Any:
            return function(*arguments)

        return self._in_loop(run())
