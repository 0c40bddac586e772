"""A wire to meters as a laptop has it: a serial adapter, or a socket to a converter.

Not here: what the bytes mean (master.py, scan.py).

    wire = open_serial("/dev/ttyUSB0", (9600, 8, "N", 1))
    wire.write(request)                  # returns when the last stop bit has left
    wire.read(0.02)                      # what came within 20 ms, b"" when nothing
"""

import errno
import os
import select
import socket
import time
from pathlib import Path
from typing import Protocol

import serial
from serial.tools import list_ports

from drivers.errors import LinkDown
from host_tools.problems import DEVICE, MISSING, NETWORK, USAGE, Problem

try:
    import termios

    _SETTINGS: type[Exception] = termios.error  # a POSIX port refuses settings with it
except ImportError:
    _SETTINGS = OSError  # Windows

Line = tuple[int, int, str, int]  # baud, bits, parity, stop
_CONNECT_S = 5.0
_TICK_S = 0.005  # how long a port over the network is waited for at once


def line_text(line: Line) -> str:
    """Return settings as technicians write them: 9600 8N1."""
    return f"{line[0]} {line[1]}{line[2]}{line[3]}"


class Wire(Protocol):
    """What a master needs of a wire. LinkDown when it fails."""

    name: str

    def configure(self, line: Line) -> None:
        """Set rate and parity, where there are any."""

    def write(self, data: bytes) -> None:
        """Send data; return when it has left."""

    def read(self, wait_s: float) -> bytes:
        """Return what came, at the latest after wait_s."""

    def close(self) -> None:
        """Give the wire back."""


class SerialWire:
    """A serial port of this computer, or a URL of pyserial (rfc2217://host:port)."""

    def __init__(self, port: str, line: Line) -> None:
        self.name = port
        self._line = line
        self._has_parity = not os.path.realpath(port).startswith("/dev/pts/")  # kernel refuses
        self._port = serial.serial_for_url(port, do_not_open=True)
        self._is_remote = "://" in port
        self._port.exclusive = None if self._is_remote else True
        if self._is_remote:
            self._port.timeout = _TICK_S  # each change would set the far port anew
        self.configure(line)
        self._port.open()

    def configure(self, line: Line) -> None:
        """Set the port; bytes that came at the old settings are dropped."""
        self._line = line
        self._port.baudrate, self._port.bytesize = line[0], line[1]
        self._port.parity = line[2] if self._has_parity else "N"
        self._port.stopbits = line[3]
        if self._port.is_open:
            self._port.reset_input_buffer()

    def write(self, data: bytes) -> None:
        """Send data and wait until the last stop bit has left."""
        baud, bits, parity, stop = self._line
        left_s = time.monotonic() + len(data) * (1 + bits + (parity != "N") + stop) / baud
        try:
            self._port.write(data)
            self._port.flush()
        except (serial.SerialException, OSError) as error:
            raise LinkDown(f"{self.name}: {error}") from None
        # An adapter may say "sent" while its own buffer is full.
        time.sleep(max(0.0, left_s - time.monotonic()))

    def read(self, wait_s: float) -> bytes:
        """Return what came within wait_s."""
        until_s = time.monotonic() + wait_s
        try:
            if not self._is_remote:
                self._port.timeout = wait_s
            data: bytes = b""
            while not data:
                data = self._port.read(1)
                if time.monotonic() >= until_s:
                    break
            return data + self._port.read(self._port.in_waiting) if data else b""
        except (serial.SerialException, OSError) as error:
            raise LinkDown(f"{self.name}: {error}") from None

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class SocketWire:
    """A TCP connection to a meter, or to a converter with meters behind it."""

    def __init__(self, host: str, port: int) -> None:
        self.name = f"{host}:{port}"
        self._socket = socket.create_connection((host, port), _CONNECT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def configure(self, line: Line) -> None:
        """Do nothing: the converter has its own settings."""

    def write(self, data: bytes) -> None:
        """Send data."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise LinkDown(f"{self.name}: {error.strerror or error}") from None

    def read(self, wait_s: float) -> bytes:
        """Return what came within wait_s."""
        if not select.select([self._socket], [], [], wait_s)[0]:
            return b""
        try:
            data = self._socket.recv(4096)
        except OSError as error:
            raise LinkDown(f"{self.name}: {error.strerror or error}") from None
        if not data:
            raise LinkDown(f"{self.name} closed the connection")
        return data

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


def open_serial(port: str, line: Line) -> SerialWire:
    """Open a serial port. A Problem says what to do when it cannot be."""
    try:
        return SerialWire(port, line)
    except (serial.SerialException, OSError) as error:
        raise _port_problem(port, error) from None
    except _SETTINGS as error:
        what = f"{port} cannot be set to {line_text(line)}: {error.args[-1]}"
        raise Problem(what, "use another adapter, or other settings", code=DEVICE) from None
    except ValueError as error:
        raise Problem(f"{port}: {error}", "give --port /dev/ttyUSB0", code=USAGE) from None


def open_socket(address: str) -> SocketWire:
    """Open "HOST:PORT" (502 without a port). A Problem says what to do when it cannot be."""
    host, colon, port = address.rpartition(":")
    if not colon:
        host, port = address, "502"
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise Problem(f"{address!r} is no HOST:PORT", "write 192.168.1.20:502", code=USAGE)
    try:
        return SocketWire(host.strip("[]"), int(port))
    except OSError as error:
        raise Problem(
            f"{address}: {error.strerror or error}",
            "check the address, and that the device allows another Modbus TCP connection: "
            "many take one or two at a time",
            code=NETWORK,
        ) from None


def _port_problem(port: str, error: Exception) -> Problem:
    number = getattr(error, "errno", None)
    here = ", ".join(p.device for p in list_ports.comports() if p.vid is not None)
    if number == errno.EACCES:
        return Problem(
            f"{port}: permission denied",
            f"sudo usermod -aG {_group_of(port)} $USER, then log in again",
            code=MISSING,
        )
    if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
        return Problem(
            f"{port} is used by another program",
            f"end it; `fuser {port}` names it",
            code=DEVICE,
        )
    remedy = f"there are {here}" if here else "no USB adapter is plugged in, or it has no driver"
    what = os.strerror(number) if number else str(error)
    return Problem(f"{port}: {what}", remedy, code=DEVICE)


def _group_of(port: str) -> str:
    try:
        return Path(port).group()
    except (OSError, KeyError, NotImplementedError):
        return "dialout"
