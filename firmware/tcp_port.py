"""A port of meters that is a TCP connection: Modbus TCP, or serial frames through a converter.

Not here: what the bytes mean (drivers/), when the port is opened anew (loop.py). The wire has the
functions of a hal's UART, so loop.py carries its bytes as it does those of a line.
"""

from errno import ECONNRESET, ETIMEDOUT

from micropython import const

from drivers.ticks import ticks_diff
from firmware import net

_OPEN_MS = const(5000)


async def open_wire(names, hal, port):
    """Return a Wire to a port's host. Raises OSError when it is not reached in time."""
    begun = hal.ticks_ms()

    def goes_on():
        return ticks_diff(hal.ticks_ms(), begun) < _OPEN_MS

    return Wire(await net.connect(names, hal, port["host"], port["tcp_port"], goes_on))


class Wire:
    """A connected, non-blocking socket under the functions of a UART."""

    def __init__(self, sock):
        self._sock = sock

    def configure(self, line):
        """Do nothing: a converter has its own settings."""

    def write(self, data, count):
        """Write data[0:count] whole. Raises OSError when the connection takes no more."""
        if self._sock.write(memoryview(data)[:count]) != count:
            raise OSError(ETIMEDOUT)

    def sending(self):
        """Return 0: what was written has left, as far as anybody can know."""
        return 0

    def readinto(self, buffer):
        """Read what is there; return the count, 0 when nothing. Raises OSError at its end."""
        count = self._sock.readinto(buffer)
        if count == 0:
            raise OSError(ECONNRESET)
        return count or 0

    def close(self):
        """Close the connection."""
        self._sock.close()
