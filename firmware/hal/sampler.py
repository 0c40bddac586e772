"""Inputs of an RP2 looked at by PIO, each millisecond, also while no interrupt runs.

While the flash is erased (45 ms) a pin's interrupt is latched once: a pulse of S0, 30 ms, that
begins and ends meanwhile would be none. A state machine goes on: it packs 8 looks into a word,
eight words wait in its FIFO, and its interrupt empties that. After 56 to 64 ms without, the next
edge says that some were lost. Not the ring (edges.py), nor what an edge means (drivers/pulse.py):
it knows that an edge is told 8 ms late. RP2040 datasheet 3.2 and 3.4; clk_sys and the ticks come
from one crystal, so words are counted, not stamped. Nothing in the interrupt allocates.

    inputs = Sampled([10, 11], [machine_of_10, machine_of_11])
"""

import time
from array import array
from errno import ENODEV

import machine
import rp2
from micropython import const

from firmware.hal.edges import Edges

_HZ = const(32_000)
_LOOKS = const(8)
_ALL = const(0xFF)
_WORD = const(259)  # cycles: set, 8 times 16 + 16, push, irq; 32 are a millisecond
_LOOK = const(32)
_TURN = const(0x7FFFF)  # of 16384 ms, as edges have them, in cycles
_FULL = const(8)  # words in the FIFO: then some may have gone
_LATE = const(64)  # cycles: how exactly ticks of a millisecond tell a word's end
_UNKNOWN = const(2)


def _look():
    set(x, 7)  # type: ignore  # noqa: F821  # names of rp2.asm_pio
    label("look")  # type: ignore  # noqa: F821
    in_(pins, 1)[15]  # type: ignore  # noqa: F821
    jmp(x_dec, "look")[15]  # type: ignore  # noqa: F821
    push(noblock)  # type: ignore  # noqa: F821
    irq(noblock, rel(0))  # type: ignore  # noqa: F821


def state_machine(number, taken):
    """Return a state machine that looks at a pin, none of those taken. OSError: none is free."""
    pio = rp2.PIO
    program = rp2.asm_pio(in_shiftdir=pio.SHIFT_LEFT, fifo_join=pio.JOIN_RX)(_look)
    pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
    for which in range(8):
        if which not in taken:
            try:
                return which, rp2.StateMachine(which, program, freq=_HZ, in_base=pin)
            except (OSError, ValueError):  # the WiFi chip's, or no room for the program
                pass
    raise OSError(ENODEV)


def _cycles():
    return (time.ticks_ms() & 0x3FFF) << 5  # type: ignore[operator]  # a type of its own


class Sampled(Edges):
    """The edges of some pins, from their state machines."""

    def __init__(self, machines):
        super().__init__(len(machines))
        self._word = array("I", [0])
        self._due = array("I", bytes(4 * len(machines)))  # when the last word taken ended
        for index, each in enumerate(machines):
            each.active(0)
            each.irq(self._handler(index), hard=True)
            self._due[index] = _cycles()
            each.restart()
            each.active(1)

    def _handler(self, index):
        def on_words(words):
            self._take(index, words)

        return on_words

    def _take(self, index, words):
        """Empty a FIFO."""
        waiting = words.rx_fifo()
        now = _cycles()
        end = self._due[index]
        late = (now - end - waiting * _WORD + _LATE) & _TURN
        if waiting == _FULL or late > _WORD + 2 * _LATE:  # some are gone: begin anew
            end = (now - waiting * _WORD) & _TURN
            if self._levels[index] != _UNKNOWN:
                self._levels[index] = _UNKNOWN
                self._anew[index] = 1
        while waiting:
            waiting -= 1
            end = (end + _WORD) & _TURN
            words.get(self._word)
            word = self._word[0] & _ALL
            last = self._levels[index]
            if word != (_ALL if last else 0) or last == _UNKNOWN:
                for i in range(_LOOKS - 1, -1, -1):
                    level = word >> i & 1
                    if level != last:
                        last = level
                        self.note(index, level, ((end - i * _LOOK) & _TURN) >> 5)
        self._due[index] = end

    def readinto(self, buffer):
        """Move whole edges into buffer; return their bytes."""
        state = machine.disable_irq()
        self.settle(time.ticks_ms())
        machine.enable_irq(state)
        return super().readinto(buffer)
