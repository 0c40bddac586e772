"""Registers to integers: word order, types, sentinels, exact decimal scaling of floats.

Not here: which registers to read (modbus_plan.py) and frames (modbus_frame.py).
Sources: Modbus Application Protocol V1.1b3, 4.2 (big-endian registers); IEEE 754-2019, 3.4
(binary32, binary64); SunSpec Device Information Model Specification V1.1 (unimplemented values).

    raw = integer(frame, 3, 4, "CDAB")                  # the four bytes at frame[3]
    value = scaled(F, 4, 0x43676666, 1)                 # 231.4 V at a tenth of a volt: 2314

Rounding is half to even everywhere, and only where the point's resolution is coarser than the
register's. No float takes part, so the result is the same on every board.
"""

from micropython import const

U = const(0)  # unsigned
S = const(1)  # two's complement
F = const(2)  # IEEE 754 binary
D = const(3)  # packed decimal, four bits a digit
B = const(4)  # bits: no arithmetic, every pattern is meant
T = const(5)  # text, the number of registers after a colon: "text:8"
C = const(6)  # one coil or discrete input: function codes 1 and 2
N = const(7)  # one bit of a register, its number (0 = least) after a colon: "bit:3"
Z = const(8)  # SunSpec accumulator: unsigned, 0 means "not implemented"

# What a number is, and its bits; texts and single bits have a colon. One text: a table takes 2 KB.
TYPES = (
    "uint16 uint32 uint48 uint64 int16 int32 int64 float32 float64 bcd16 bcd32 bcd64 "
    "bits16 bits32 bits64 acc32 acc64 coil"
)
_KINDS = "uint int float bcd bits acc"
ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")


def type_of(name):
    """Return (class, size in bytes, argument) of a type's name; raises ValueError if unknown."""
    if name == "coil":
        return C, 0, 0
    if name in TYPES.split(" "):
        kind = name.rstrip("0123456789")
        index = _KINDS.split(" ").index(kind)
        return (U, S, F, D, B, Z)[index], int(name[len(kind) :]) // 8, 0
    base, _, argument = name.partition(":")
    if argument.isdigit():
        if base == "text" and 1 <= int(argument) <= 60:
            return T, 2 * int(argument), int(argument)
        if base == "bit" and int(argument) <= 15:
            return N, 2, int(argument)
    raise ValueError("%s is no register type" % name)


def integer(data, at, size, order):
    """Return size bytes (2, 4, 6 or 8) at data[at] as an unsigned integer, by word order.

    A is the most significant byte: "ABCD" is what the standard says, "CDAB" sends the low
    word first, "BADC" swaps the bytes of each word, "DCBA" does both.
    """
    swapped = order[0] == "B" or order[0] == "D"
    low_first = order[0] == "C" or order[0] == "D"
    value = 0
    for i in range(0, size, 2):
        word = at + (size - 2 - i if low_first else i)
        high, low = data[word], data[word + 1]
        if swapped:
            high, low = low, high
        value = (value << 16) | (high << 8) | low
    return value


def text(data, at, size, order):
    """Return the bytes of a text without the NULs and spaces that pad it."""
    out = bytearray(size)
    swap = 1 if order[0] in "BD" else 0
    for i in range(size):
        out[i] = data[at + (i ^ swap)]
    return bytes(out).split(b"\x00")[0].strip(b" ")


def is_absent(kind, size, raw):
    """Return true when the raw value is the usual mark for "not available" of its class.

    All ones when unsigned, 0x7FFF... or 0x8000... when signed, NaN or infinity when a float,
    a nibble above 9 when packed decimal, 0 in a SunSpec accumulator.
    """
    bits = 8 * size
    if kind == U:
        return raw == (1 << bits) - 1
    if kind == S:
        return raw == (1 << (bits - 1)) - 1 or raw == 1 << (bits - 1)
    if kind == F:
        return (raw >> 23) & 0xFF == 0xFF if size == 4 else (raw >> 52) & 0x7FF == 0x7FF
    if kind == D:
        while raw:
            if raw & 15 > 9:
                return True
            raw >>= 4
        return False
    return kind == Z and (raw == 0 or raw == (1 << bits) - 1)


def scaled(kind, size, raw, shift):
    """Return raw, of a class and size in bytes, times 10 ** shift as an integer, half to even.

    Not for an absent value: NaN and infinity have no integer.
    """
    if kind == F:
        return _float(raw, size, shift)
    if kind == D:
        raw = _decimal(raw)
    elif kind == S and raw >> (8 * size - 1):
        raw -= 1 << (8 * size)
    if shift == 0:
        return raw
    return power_of_ten(raw, shift)


def power_of_ten(value, shift):
    """Return value * 10 ** shift as an integer, rounded half to even when shift is negative."""
    if shift >= 0:
        return value * 10**shift
    return divided(value, 10**-shift)


def divided(top, bottom):
    """Return top / bottom (bottom > 0) as an integer, rounded half to even."""
    quotient, rest = divmod(top, bottom)
    rest *= 2
    if rest > bottom or (rest == bottom and quotient & 1):
        quotient += 1
    return quotient


def _decimal(raw):
    value = 0
    unit = 1
    while raw:
        value += (raw & 15) * unit
        unit *= 10
        raw >>= 4
    return value


def _float(raw, size, shift):
    #   binary32: s eeeeeeee mmm...(23)   value = 1.m * 2 ** (e - 127)
    #   binary64: s eeeeeeeeeee mmm...(52) value = 1.m * 2 ** (e - 1023)
    if size == 4:
        negative, exponent, mantissa, bias = raw >> 31, (raw >> 23) & 0xFF, raw & 0x7FFFFF, 150
        hidden = 1 << 23
    else:
        negative, exponent, bias = raw >> 63, (raw >> 52) & 0x7FF, 1075
        hidden = 1 << 52
        mantissa = raw & (hidden - 1)
    if exponent:
        mantissa |= hidden
    else:
        exponent = 1  # subnormal
    exponent -= bias
    if exponent < -1100 or not mantissa:
        return 0
    top = -mantissa if negative else mantissa
    bottom = 1
    if shift >= 0:
        top *= 10**shift
    else:
        bottom = 10**-shift
    if exponent >= 0:
        return divided(top << exponent, bottom)
    return divided(top, bottom << -exponent)
