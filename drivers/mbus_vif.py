"""M-Bus value information as data: what a VIF or VIFE means.

Source: EN 13757-3:2018, 6.4.3 to 6.4.8, tables 10 (primary), 12 (0xFD), 14 (0xFB), 15 to 17
(combinable); fixed data: EN 1434-3:1997, A.5.2. Durations are turned into seconds and flows into
m3/h, both exactly.
"""

from micropython import const

NUMBER = const(0)
DATE = const(1)  # by its length: type G (2 bytes), J (3, a time of day), F (4), I (6)
BITS = const(2)  # type D: flags, never negative

# (first, last, unit, exponent of the first, factor, what). Within a row the exponent grows by
# one per code, but where the factor is 0: the code's two low bits choose s, min, h, d; or -1: they
# choose h and d.
PRIMARY = (
    (0x00, 0x07, "Wh", -3, 1, NUMBER),
    (0x08, 0x0F, "J", 0, 1, NUMBER),
    (0x10, 0x17, "m3", -6, 1, NUMBER),
    (0x18, 0x1F, "kg", -3, 1, NUMBER),
    (0x20, 0x23, "s", 0, 0, NUMBER),  # on time
    (0x24, 0x27, "s", 0, 0, NUMBER),  # operating time
    (0x28, 0x2F, "W", -3, 1, NUMBER),
    (0x30, 0x37, "J/h", 0, 1, NUMBER),
    (0x38, 0x3F, "m3/h", -6, 1, NUMBER),
    (0x40, 0x47, "m3/h", -7, 60, NUMBER),  # m3/min
    (0x48, 0x4F, "m3/h", -9, 3600, NUMBER),  # m3/s
    (0x50, 0x57, "kg/h", -3, 1, NUMBER),
    (0x58, 0x5B, "degC", -3, 1, NUMBER),  # flow
    (0x5C, 0x5F, "degC", -3, 1, NUMBER),  # return
    (0x60, 0x63, "K", -3, 1, NUMBER),
    (0x64, 0x67, "degC", -3, 1, NUMBER),  # external
    (0x68, 0x6B, "bar", -3, 1, NUMBER),
    (0x6C, 0x6D, "", 0, 1, DATE),
    (0x70, 0x73, "s", 0, 0, NUMBER),  # averaging duration
    (0x74, 0x77, "s", 0, 0, NUMBER),  # actuality duration
)
EXTENDED_FB = (
    (0x00, 0x01, "Wh", 5, 1, NUMBER),
    (0x02, 0x03, "varh", 3, 1, NUMBER),
    (0x04, 0x05, "VAh", 3, 1, NUMBER),
    (0x08, 0x09, "J", 8, 1, NUMBER),
    (0x0C, 0x0F, "cal", 5, 1, NUMBER),
    (0x10, 0x11, "m3", 2, 1, NUMBER),
    (0x14, 0x17, "var", 0, 1, NUMBER),
    (0x18, 0x19, "kg", 5, 1, NUMBER),
    (0x1A, 0x1B, "%", -1, 1, NUMBER),  # relative humidity
    (0x20, 0x20, "ft3", 0, 1, NUMBER),
    (0x21, 0x21, "ft3", -1, 1, NUMBER),
    (0x22, 0x23, "gal", -1, 1, NUMBER),
    (0x24, 0x24, "gal/min", -3, 1, NUMBER),
    (0x25, 0x25, "gal/min", 0, 1, NUMBER),
    (0x26, 0x26, "gal/h", 0, 1, NUMBER),
    (0x28, 0x29, "W", 5, 1, NUMBER),
    (0x2A, 0x2A, "deg", -1, 1, NUMBER),  # phase between two voltages
    (0x2B, 0x2B, "deg", -1, 1, NUMBER),  # phase of the current
    (0x2C, 0x2F, "Hz", -3, 1, NUMBER),
    (0x30, 0x31, "J/h", 8, 1, NUMBER),
    (0x34, 0x37, "VA", 0, 1, NUMBER),
    (0x58, 0x5B, "degF", -3, 1, NUMBER),
    (0x5C, 0x5F, "degF", -3, 1, NUMBER),
    (0x60, 0x63, "degF", -3, 1, NUMBER),
    (0x64, 0x67, "degF", -3, 1, NUMBER),
    (0x70, 0x73, "degF", -3, 1, NUMBER),
    (0x74, 0x77, "degC", -3, 1, NUMBER),
    (0x78, 0x7F, "W", -3, 1, NUMBER),
)
EXTENDED_FD = (
    (0x00, 0x03, "currency", -3, 1, NUMBER),  # credit
    (0x04, 0x07, "currency", -3, 1, NUMBER),  # debit
    (0x17, 0x18, "", 0, 1, BITS),  # error flags, error mask
    (0x1A, 0x1B, "", 0, 1, BITS),  # digital outputs, inputs
    (0x1C, 0x1C, "Bd", 0, 1, NUMBER),
    (0x1D, 0x1D, "bit", 0, 1, NUMBER),  # response delay, bit times
    (0x24, 0x27, "s", 0, 0, NUMBER),  # storage interval
    (0x28, 0x28, "mo", 0, 1, NUMBER),
    (0x29, 0x29, "a", 0, 1, NUMBER),
    (0x2B, 0x2B, "s", 0, 1, NUMBER),  # second of a time point
    (0x2C, 0x2F, "s", 0, 0, NUMBER),  # since the last read-out
    (0x30, 0x30, "", 0, 1, DATE),  # start of tariff
    (0x31, 0x33, "s", 0, 0, NUMBER),  # duration of tariff
    (0x34, 0x37, "s", 0, 0, NUMBER),  # period of tariff
    (0x38, 0x38, "mo", 0, 1, NUMBER),
    (0x39, 0x39, "a", 0, 1, NUMBER),
    (0x3C, 0x3F, "s", 0, 0, NUMBER),  # period of the nominal transmissions
    (0x40, 0x4F, "V", -9, 1, NUMBER),
    (0x50, 0x5F, "A", -12, 1, NUMBER),
    (0x68, 0x69, "s", 0, -1, NUMBER),  # since the last cumulation: hours, days
    (0x6A, 0x6A, "mo", 0, 1, NUMBER),
    (0x6B, 0x6B, "a", 0, 1, NUMBER),
    (0x6C, 0x6D, "s", 0, -1, NUMBER),  # on battery: hours, days
    (0x6E, 0x6E, "mo", 0, 1, NUMBER),
    (0x6F, 0x6F, "a", 0, 1, NUMBER),
    (0x70, 0x70, "", 0, 1, DATE),  # of the battery's change
    (0x71, 0x71, "dBm", 0, 1, NUMBER),
    (0x74, 0x74, "s", 0, 86400, NUMBER),  # left of the battery
)
SECONDS = (1, 60, 3600, 86400)

# Combinable VIFE 0x20 to 0x38: what the unit is divided by, or multiplied with.
PER = (
    "/s /min /h /d /wk /mo /a /rev /pulse /pulse /pulse /pulse /l /m3 /kg /K /kWh /GJ /kW /(K.l) "
    "/V /A .s .s/V .s/A"
)

# Fixed data, 6 bits: from 0x02 on three codes to a unit, times 1, 10 and 100.
FIXED = ("Wh", "kWh", "MWh", "kJ", "MJ", "GJ", "W", "kW", "MW", "kJ/h", "MJ/h", "GJ/h")
FIXED_VOLUMES = ("ml", "l", "m3", "ml/h", "l/h", "m3/h")


def find(lead, code):
    """Return the row of a code behind the lead byte 0xFB or 0xFD, or of a primary VIF; or None.

    0xEF leads a third table that no edition has filled.
    """
    if lead == 0xEF:
        return None
    if lead == 0xFB:
        return _find(EXTENDED_FB, code)
    return _find(EXTENDED_FD if lead == 0xFD else PRIMARY, code)


def _find(table, code):
    """Return the row of a table that holds this code, or None."""
    for row in table:
        if row[0] <= code <= row[1]:
            return row
    return None


def fixed_unit(code):
    """Return (unit, exponent) of a fixed data counter; ("", 0) when it has none."""
    units = FIXED + FIXED_VOLUMES
    if code == 0x38:
        return "degC", -3
    if not 2 <= code < 2 + 3 * len(units):
        return "", 0
    return units[(code - 2) // 3], (code - 2) % 3
