"""A serial port over the network (RFC 2217) in front of a bench: one that has a parity.

A pseudo-terminal drops parity, so a test of `eclor scan` or of any other master that must find one
uses this: what the master sets arrives, and the line garbles what does not fit.

    with SerialBench([meter], LineSettings(9600, 8, "E", 1)) as bench, RemotePort(bench) as port:
        master_under_test(port.url)              # "rfc2217://127.0.0.1:40123"

The telnet part is pyserial's. One master at a time, as on a real converter.
"""

import contextlib
import os
import select
import socket
import threading
import tty
from typing import Any, Self

from serial.rfc2217 import PortManager

from host_tools.sim.lines import LineSettings
from host_tools.sim.workbench import SerialBench

_PARITIES = {"N": "N", "E": "E", "O": "O"}


class _Settings:
    """What PortManager takes for a serial port: every setting is told to the bench."""

    cts = dsr = ri = cd = rts = dtr = False
    xonxoff = rtscts = break_condition = False

    def __init__(self, bench: SerialBench) -> None:
        self._bench = bench
        self.baudrate, self.bytesize, self.parity, self.stopbits = 9600, 8, "N", 1

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in ("baudrate", "bytesize", "parity", "stopbits") and hasattr(self, "stopbits"):
            parity = _PARITIES.get(self.parity, "N")
            self._bench.hears(
                LineSettings(self.baudrate, self.bytesize, parity, int(self.stopbits))
            )

    def reset_input_buffer(self) -> None:
        """Do nothing: what has passed is in the socket."""

    def reset_output_buffer(self) -> None:
        """Do nothing: what was written has left."""


class _Connection:
    """What PortManager writes to."""

    def __init__(self, peer: socket.socket) -> None:
        self.peer = peer

    def write(self, data: bytes) -> None:
        """Send it."""
        self.peer.sendall(data)


class RemotePort:
    """The converter: a socket of this computer and the master's end of the bench."""

    def __init__(self, bench: SerialBench) -> None:
        self._bench = bench
        self._server = socket.create_server(("127.0.0.1", 0))
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._serve, name="remote port")

    @property
    def url(self) -> str:
        """What pyserial opens."""
        return f"rfc2217://127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._terminal = os.open(self._bench.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._terminal)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._stop_write, b"x")
        self._thread.join()
        self._server.close()
        for descriptor in (self._terminal, self._stop_read, self._stop_write):
            os.close(descriptor)

    def _serve(self) -> None:
        while True:
            wires: list[Any] = [self._server, self._stop_read]
            select.select(wires, [], [])
            if self._is_stopped():
                return
            peer, _ = self._server.accept()
            with peer, contextlib.suppress(OSError):
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._carry(peer):
                    return

    def _is_stopped(self) -> bool:
        return bool(select.select([self._stop_read], [], [], 0)[0])

    def _carry(self, peer: socket.socket) -> bool:
        """Carry bytes until the master leaves; return whether the port is to stop."""
        settings: Any = _Settings(self._bench)
        connection: Any = _Connection(peer)
        manager = PortManager(settings, connection)
        while True:
            wires: list[Any] = [peer, self._terminal, self._stop_read]
            ready = select.select(wires, [], [])[0]
            if self._is_stopped():
                return True
            if peer in ready:
                data = peer.recv(4096)
                if not data:
                    return False
                plain = b"".join(manager.filter(data))
                if plain:
                    os.write(self._terminal, plain)
            if self._terminal in ready:
                peer.sendall(b"".join(manager.escape(os.read(self._terminal, 4096))))
