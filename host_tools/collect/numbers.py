"""Integers of the value path in two columns that every database can hold exactly.

A value lies in -2**63 .. 2**64 - 1 (drivers/reading.py), a BIGINT in -2**63 .. 2**63 - 1. An
unsigned counter in its upper half is therefore kept as `value - 2**64` with `high` = 1, so that
nothing is rounded and small values stay what a person expects to see in the table.

    split(2**64 - 1)        # (-1, 1)
    join(-1, 1)             # 18446744073709551615
    text(2304, 0, -1)       # "230.4"
"""

from drivers.reading import VALUE_MAX, VALUE_MIN, decimal_text

_BIGINT_MAX = (1 << 63) - 1
_TURN = 1 << 64


def split(value: int) -> tuple[int, int]:
    """Return (value, high) as the tables hold it; ValueError outside -2**63 .. 2**64 - 1."""
    if not VALUE_MIN <= value <= VALUE_MAX:
        raise ValueError(f"{value} does not fit -2**63 .. 2**64 - 1")
    return (value, 0) if value <= _BIGINT_MAX else (value - _TURN, 1)


def join(value: int, high: int) -> int:
    """Return the integer that split() was given."""
    return value + high * _TURN


def text(value: int | None, high: int, exponent: int) -> str | None:
    """Return a stored value as exact decimal text; None where there is no value."""
    return None if value is None else decimal_text(join(value, high), exponent)
