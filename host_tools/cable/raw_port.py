"""mpremote's transport on a serial port, with a reader that waits for bytes.

    transport = Transport("/dev/ttyACM0")
    transport.read_until(1, b"raw REPL")

mpremote's own reader looks for a byte every 10 ms; a file of a hundred kilobytes takes minutes
so. Not here: the way to the prompt, files, errors in plain words (prompt.py).
"""

import time
from collections.abc import Callable
from typing import Any

from mpremote.transport_serial import SerialTransport

ANSWER_S = 10.0  # of silence, then the board has gone


class Buffered:
    """A serial port that is read in pieces, not in bytes."""

    def __init__(self, port: Any) -> None:
        self._port = port
        self.waiting = bytearray()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def fill(self, wait_s: float) -> bool:
        """Take what has come, at the latest after wait_s; tell whether anything has."""
        self._port.timeout = wait_s
        data = self._port.read(1)
        if data:
            self.waiting += data + self._port.read(self._port.in_waiting)
        return bool(data)

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer when the board falls silent."""
        while len(self.waiting) < count and self.fill(ANSWER_S):
            pass
        return self.take(count)

    def take(self, count: int) -> bytes:
        """Return and forget the first bytes."""
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        return data

    def inWaiting(self) -> int:  # noqa: N802  # as mpremote calls it
        """Return how many bytes a read gives at once."""
        return len(self.waiting) + int(self._port.in_waiting)

    def reset_input_buffer(self) -> None:
        """Forget what has come."""
        self.waiting.clear()
        self._port.reset_input_buffer()


class Transport(SerialTransport):
    """mpremote's, that waits for bytes instead of looking now and then."""

    def __init__(self, port: str) -> None:
        super().__init__(port, 115_200, timeout=1)
        self.serial: Any = Buffered(self.serial)

    def read_until(
        self,
        min_num_bytes: int,
        ending: bytes,
        timeout: float | None = 10,
        data_consumer: Callable[[bytes], None] | None = None,
        timeout_overall: float | None = None,
    ) -> bytes:
        """Return what came up to the ending; all of it when nothing comes for so long."""
        wait_s = ANSWER_S if timeout is None else timeout
        until_s = time.monotonic() + (timeout_overall or 1e9)
        seen = 0
        while True:
            at = self.serial.waiting.find(ending, max(0, seen - len(ending)))
            if at >= 0:
                return bytes(self.serial.take(at + len(ending)))
            seen = len(self.serial.waiting)
            left_s = min(wait_s, until_s - time.monotonic())
            if left_s <= 0 or not self.serial.fill(left_s):
                return bytes(self.serial.take(seen))
