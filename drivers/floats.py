"""IEEE 754 numbers as exact decimals, without a float: M-Bus and DLMS send them.

    decimal(0x41200000, 4)      # (10, 0): 10.0
    decimal(0x3DCCCCCD, 4)      # (1000000014901161194, -19): no single is 0.1

A device's floats are singles, so neither a double nor the decimal digits of a single fit one.
"""

from micropython import const

_LEAST = const(-30)  # power of ten; what is smaller is noise in any unit


def decimal(bits, size, most=(1 << 63) - 1):
    """Return (value, exponent) of a single (size 4) or a double (8): value * 10 ** exponent.

    Exact where the value fits 0 .. most, else its first 18 digits or so, rounded. (None, 0) for
    NaN and infinity.
    """
    fraction = 23 if size == 4 else 52
    mantissa = bits & ((1 << fraction) - 1)
    power = (bits >> fraction) & (0xFF if size == 4 else 0x7FF)
    if power == (0xFF if size == 4 else 0x7FF):
        return None, 0
    if power:
        mantissa |= 1 << fraction
    else:
        power = 1
    power -= fraction + (127 if size == 4 else 1023)
    if not mantissa:
        return 0, 0
    while power < 0 and not mantissa & 1:
        mantissa >>= 1
        power += 1
    exponent = power if power < 0 else 0
    value = mantissa * 5**-power if power < 0 else mantissa << power
    divisor = 1
    while value // divisor > most or exponent < _LEAST:
        divisor *= 10
        exponent += 1
    value = (2 * value + divisor) // (2 * divisor)
    return (-value if bits >> (8 * size - 1) else value), exponent
