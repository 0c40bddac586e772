"""IEEE 754 singles as exact decimals, without a float: M-Bus and DLMS send them.

real(0x41200000, -6)      # 10000000: 10.0 in millionths
"""


def real(bits, exponent):
    """Return an IEEE 754 single as an integer times 10**exponent; None for NaN and infinity."""
    power = (bits >> 23) & 0xFF
    mantissa = bits & 0x7FFFFF
    if power == 255:
        return None
    if power:
        mantissa |= 0x800000
    else:
        power = 1
    shift = power - 150
    if exponent < 0:
        mantissa *= 10**-exponent
    divisor = 10**exponent if exponent > 0 else 1
    if shift >= 0:
        mantissa <<= shift
    else:
        divisor <<= -shift
    mantissa = (2 * mantissa + divisor) // (2 * divisor)
    return -mantissa if bits >> 31 else mantissa
