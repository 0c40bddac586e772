"""firmware/loop.py in virtual time: MicroPython's asyncio with a clock that goes when it sleeps.

    clock = VirtualLoop()
    clock.look = lambda: ...             # called each time the loop sleeps
    hal.ticks_ms = clock.ticks_ms
    loop.run(app, hal)                   # hours in seconds; ends when something raises SystemExit

MicroPython only: CPython's asyncio has no sleep_ms.
"""

import time

_MASK = (1 << 30) - 1
_MOMENTS = 16  # in a millisecond


class VirtualLoop:
    """The clock, and in the place of asyncio's queue of sockets. ms: what time it is."""

    def __init__(self):
        from asyncio import core

        core.new_event_loop()
        self.ms = time.ticks_ms() + 1000  # the stamps of new tasks are real ones, and in the past
        self._moments = 0
        core.ticks = lambda: self.ms
        core._io_queue = self

    def ticks_ms(self):
        """Milliseconds, wrapping."""
        return self.ms & _MASK

    def ticks_us(self):
        """Microseconds, wrapping."""
        return self.ms * 1000 & _MASK

    def look(self):
        """Do nothing; a test puts its own here."""

    def wait_io_event(self, wait_ms):
        """Sleep, as the loop asks for; a task that only lets the others in takes a moment too."""
        if wait_ms > 0:
            self.ms += wait_ms
        else:
            self._moments += 1
            self.ms += self._moments % _MOMENTS == 0
        self.look()
