"""The meters' end of a line: what the gateway sends is handed to them, what they say is written.

end = MeterEnd(line)
end.answer(meter.receive, meter.silence)     # one that is asked
end.push(meter.frame)                        # one that speaks unasked
end.start(loop)
"""

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence

from host_tools.sim.lines import Line, LineSettings
from host_tools.sim.meter_faults import MeterFaults
from host_tools.sim.pymodbus_meter import PymodbusMeter

_REQUEST_GAP_S = 0.05  # silence after which a simulated meter forgets a half request

Pieces = Sequence[tuple[float, bytes | LineSettings]]


class MeterEnd:
    """One end, and every meter that hangs on it."""

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
