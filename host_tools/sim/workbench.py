"""Simulated meters for anybody's tests: on a paced pseudo-terminal, or on a TCP port.

    meter = ModbusMeter(load_map("sdm630"), 1, lambda name, now_s: Decimal("230.4"))
    with SerialBench([meter], LineSettings(9600, 8, "N", 1)) as bench:
        master_under_test(bench.path)            # "/dev/pts/7": bytes take their time there

    with SocketBench([meter]) as bench:          # meter made with transport="tcp"
        master_under_test("127.0.0.1", bench.port)

Whatever has received(data, now_s) -> [(delay_ms, data), ...] and silence() can be a meter. A
pseudo-terminal tells the line the rate that the master has set, but no parity: the kernel drops
it. A test that is about parity calls bench.hears(settings) when its master changes it. Also a
command, for projects in other languages: `eclor mock`.
"""

import asyncio
import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from host_tools.sim.lines import Line, LineSettings, Piece
from host_tools.sim.meter_end import MeterEnd
from host_tools.sim.pymodbus_meter import PymodbusMeter

_RTU = LineSettings(9600, 8, "N", 1)


class Meter(Protocol):
    """A simulated meter: no transport, no clock of its own."""

    def received(self, data: bytes, now: float) -> list[tuple[float, bytes]]:
        """Take bytes; return what to write, each piece after so many ms."""

    def silence(self) -> None:
        """Forget a half request: the line has been silent."""


class SerialBench:
    """One paced line with its meters, moved by a thread of its own."""

    def __init__(
        self,
        meters: Sequence[Meter],
        settings: LineSettings = _RTU,
        tap: Callable[[Piece], None] | None = None,
        *,
        seed: int = 0,
    ) -> None:
        """settings: what the meters are set to; the master must find them."""
        self.settings = settings
        self._meters = meters
        self._tap = tap
        self._seed = seed
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="serial bench")
        self._line: Line
        self._end: MeterEnd

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    async def _start(self) -> None:
        self._line = Line("bench", self.settings, self._tap, seed=self._seed)
        self._end = MeterEnd(self._line)
        for meter in self._meters:
            self._end.answer(meter.received, meter.silence)
            if isinstance(meter, PymodbusMeter):
                self._end.serve(meter)
        self._line.start(self._loop)
        self._end.start(self._loop)

    @property
    def path(self) -> str:
        """The terminal that the master opens."""
        return self._line.gateway_path

    def hears(self, settings: LineSettings) -> None:
        """Say what the master listens and speaks with from now on."""
        self._line.gateway_settings = settings

    def say(self, data: bytes) -> None:
        """Put bytes on the line as somebody else would: another master, a motor."""
        self._loop.call_soon_threadsafe(self._end.say, data)

    def garble(self, seconds: float) -> None:
        """Damage bytes both ways for so long."""
        self._line.garble(seconds)

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._end.close()
        self._line.close()


class SocketBench:
    """Meters behind a TCP port of this computer: Modbus TCP, or RTU frames on a socket."""

    def __init__(self, meters: Sequence[Meter], port: int = 0) -> None:
        """port: 0 takes a free one."""
        self._server = _Server(("127.0.0.1", port), _Connection)
        self._server.meters = meters
        self._server.connections = set()
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def hang_up(self) -> None:
        """Close every connection, as a device does that restarts."""
        for connection in list(self._server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    meters: Sequence[Meter] = ()
    connections: set[socket.socket]


class _Connection(socketserver.BaseRequestHandler):
    server: _Server
    request: socket.socket

    def handle(self) -> None:
        self.server.connections.add(self.request)
        for meter in self.server.meters:
            meter.silence()
        with contextlib.suppress(OSError):
            while data := self.request.recv(4096):
                for meter in self.server.meters:
                    waited_ms = 0.0
                    for delay_ms, piece in meter.received(data, time.time()):
                        time.sleep(max(0.0, delay_ms - waited_ms) / 1000)
                        waited_ms = max(waited_ms, delay_ms)
                        self.request.sendall(piece)
