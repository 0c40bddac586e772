"""A socket whose bytes are counted, for networks that charge by them; TLS goes on top of it.

Not the budget (agent/budget.py). Loaded only where there is one.
"""

import io

_STREAM_CLOSE = 4  # MP_STREAM_CLOSE of MicroPython's py/stream.h


class Counted(io.IOBase):
    """Tells spend(count) the bytes of each read and write."""

    def __init__(self, sock, spend):
        self._sock = sock
        self._spend = spend

    def readinto(self, buffer):
        """Read what is there; None when nothing is."""
        count = self._sock.readinto(buffer)
        if count:
            self._spend(count)
        return count

    def write(self, data):
        """Write what the socket takes; None when it takes nothing."""
        count = self._sock.write(data)
        if count:
            self._spend(count)
        return count

    def ioctl(self, request, argument):
        """Close with the stream above: nobody polls it."""
        if request == _STREAM_CLOSE:
            self._sock.close()
        return 0

    def close(self):
        """Close the socket."""
        self._sock.close()
