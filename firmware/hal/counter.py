"""Inputs of an ESP32, whose counters go on while its processor stands still.

While the flash is erased (45 ms) both cores wait; a pin's interrupt is latched once, and finds the
level of afterwards. A pulse of S0, 30 ms (IEC 62053-31), that begins and ends meanwhile would be
none. The chip's counter (PCNT) saw its two edges. So whoever comes round late, found no edge by
interrupt and is told of two, tells a pulse. What no counter can say is declared: the input's next
edge says that some were lost. Not the ring (edges.py), nor what an edge means (drivers/pulse.py).

A spike of more than 12.8 us under an erase is taken for a pulse: how long it was, nobody knows.
Bounce is not, where an edge of it was seen. ESP32 technical reference manual, "Pulse count
controller"; the counters' names are MicroPython's esp32.PCNT, of 1.26 or newer.

    inputs = Counted([18, 19], {}, [counter(0, 18), counter(1, 19)])
"""

import time
from errno import ENODEV

import esp32
import machine
from micropython import const

from drivers.ticks import ticks_diff
from firmware.hal.chip import Inputs

_SHORTEST_MS = const(30)  # a pulse of S0, and the pause behind it
_FILTER = const(1023)  # cycles of 80 MHz: what is shorter is no edge


def counter(unit, number):
    """Return a running counter of a pin's edges. OSError: the image has none, or none is free."""
    try:
        up = esp32.PCNT.INCREMENT
        pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
        made = esp32.PCNT(unit, pin=pin, rising=up, falling=up, filter=_FILTER, value=0)
        made.start()
        return made
    except (AttributeError, ValueError):
        raise OSError(ENODEV)


class Counted(Inputs):
    """The edges of some pins by interrupts, and those that a stall hid by counters."""

    def __init__(self, numbers, interrupt, counters):
        """numbers, interrupt: as of Inputs. counters: one for each pin."""
        self._counters = counters
        self._changed = bytearray(len(counters))  # since the last look
        self._looked_ms = time.ticks_ms()
        super().__init__(numbers, interrupt)

    def note(self, index, level, ticks_ms):
        """Take a level as Edges does, and that it was another one."""
        if level != self._levels[index]:
            self._changed[index] = 1
        super().note(index, level, ticks_ms)

    def readinto(self, buffer):
        """Move whole edges into buffer, those that were hidden too; return their bytes."""
        now_ms = time.ticks_ms()
        stall_ms = ticks_diff(now_ms, self._looked_ms)
        self._looked_ms = now_ms
        state = machine.disable_irq()
        for index in range(len(self._counters)):
            self.note(index, self._pins[index].value(), now_ms)
            edges = self._counters[index].value(0)
            if edges >= 2:
                self._reveal(index, edges // 2, stall_ms, now_ms)
            self._changed[index] = 0
        machine.enable_irq(state)
        return super().readinto(buffer)

    def _reveal(self, index, pulses, stall_ms, now_ms):
        level = self._levels[index]
        room = (stall_ms + _SHORTEST_MS) // (2 * _SHORTEST_MS)  # so many fit into a stall
        if self._changed[index] or pulses > room:
            if stall_ms >= 2 * _SHORTEST_MS:  # beside the edge that was seen there was room
                self._anew[index] = 1
            return
        at_ms = now_ms - (stall_ms + (2 * pulses - 1) * _SHORTEST_MS) // 2
        for _ in range(pulses):
            self.note(index, 1 - level, at_ms)
            self.note(index, level, at_ms + _SHORTEST_MS)
            at_ms += 2 * _SHORTEST_MS
