"""The network between gateway and broker: a TCP proxy that can be cut.

Two ways to be cut, as in the field. "silent": a cable is out or a cell is gone; bytes wait,
nobody is told, connections open and say nothing; when it returns, what waited is delivered, as
TCP would send it again. "reset": a router restarts; connections end at once and new ones are
refused.

    network = Network(broker_port)
    await network.start()
    network.port                 # where the gateway connects
    network.cut("silent"); network.restore()
"""

import asyncio
import contextlib

MANNERS = ("silent", "reset")
_CHUNK_BYTES = 4096


class Network:
    """One proxy on 127.0.0.1; use it from its loop's thread."""

    def __init__(self, target_port: int, port: int = 0) -> None:
        """port: where to listen, 0: a free one."""
        self.port = port
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._pairs: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def up(self) -> bool:
        """Whether bytes flow."""
        return self._flowing.is_set() and not self._refusing

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self, manner: str = "silent") -> None:
        """Part the two sides; manner is one of MANNERS."""
        if manner == "silent":
            self._flowing.clear()
            return
        self._refusing = True
        for writer in list(self._pairs):
            writer.transport.abort()

    def restore(self) -> None:
        """Let bytes flow again."""
        self._refusing = False
        self._flowing.set()

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._server:
            self._server.close()
        for writer in list(self._pairs):
            writer.transport.abort()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if self._refusing:
            writer.transport.abort()
            return
        self._pairs.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            await self._flowing.wait()
            back, there = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._pairs.add(there)
            await asyncio.gather(self._pump(reader, there), self._pump(back, writer))
        except OSError:
            pass  # the broker is away: the gateway sees its connection end
        finally:
            for end in (writer, there):
                if end:
                    self._pairs.discard(end)
                    end.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            data = await reader.read(_CHUNK_BYTES)
            await self._flowing.wait()
            if not data:
                with contextlib.suppress(OSError, RuntimeError):
                    writer.close()
                return
            writer.write(data)
            await writer.drain()
