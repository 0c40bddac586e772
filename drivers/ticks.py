"""Milliseconds that wrap: the same arithmetic on every runtime.

A tick is an integer 0 .. 2**30 - 1 (12.4 days, a small int on a 32-bit MicroPython). The hal
masks its clock to this range, fakes do the same; differences are exact within +-6.2 days.
"""

from micropython import const

_PERIOD = const(1 << 30)
_MASK = const((1 << 30) - 1)
_HALF = const(1 << 29)


def ticks_add(ticks, delta_ms):
    """Return the tick delta_ms (either sign) away from ticks."""
    return (ticks + delta_ms) & _MASK


def ticks_diff(end, start):
    """Return end - start in ms, -2**29 .. 2**29 - 1."""
    return ((end - start + _HALF) & _MASK) - _HALF
