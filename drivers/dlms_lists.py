"""Lists that meters push without OBIS codes or without scalers, as data.

Sources: Kaifa "KFM_001 OBIS List Information" and Kamstrup "OMNIPOWER HAN-NVE interface
description", both published by NVE/Nek for the Norwegian HAN port; Aidon's lists carry both.
"""

# Kaifa: what stands where, by the number of items: (OBIS code, unit, exponent).
_HEAD = (
    ("1-1:0.2.129*255", "", 0),
    ("0-0:96.1.0*255", "", 0),
    ("0-0:96.1.7*255", "", 0),
    ("1-0:1.7.0*255", "W", 0),
    ("1-0:2.7.0*255", "W", 0),
    ("1-0:3.7.0*255", "var", 0),
    ("1-0:4.7.0*255", "var", 0),
)
_ONE_PHASE = (("1-0:31.7.0*255", "A", -3), ("1-0:32.7.0*255", "V", -1))
_THREE_PHASES = (
    ("1-0:31.7.0*255", "A", -3),
    ("1-0:51.7.0*255", "A", -3),
    ("1-0:71.7.0*255", "A", -3),
    ("1-0:32.7.0*255", "V", -1),
    ("1-0:52.7.0*255", "V", -1),
    ("1-0:72.7.0*255", "V", -1),
)
_TOTALS = (
    ("0-0:1.0.0*255", "", 0),
    ("1-0:1.8.0*255", "Wh", 0),
    ("1-0:2.8.0*255", "Wh", 0),
    ("1-0:3.8.0*255", "varh", 0),
    ("1-0:4.8.0*255", "varh", 0),
)


def kaifa(count):
    """Return the columns of a Kaifa list of this many items, () when none is known."""
    if count == 1:
        return (_HEAD[3],)
    if count == 9:
        return _HEAD + _ONE_PHASE
    if count == 13:
        return _HEAD + _THREE_PHASES
    if count == 14:
        return _HEAD + _ONE_PHASE + _TOTALS
    if count == 18:
        return _HEAD + _THREE_PHASES + _TOTALS
    return ()


def kamstrup(group, kind):
    """Return (unit, exponent) of OBIS fields C and D in a Kamstrup list, which has no scalers."""
    if kind == 8 and group in (1, 2, 21, 22, 41, 42, 61, 62):
        return "Wh", 1
    if kind == 8 and group in (3, 4):
        return "varh", 1
    if kind != 7:
        return "", 0
    if group in (13, 33, 53, 73):  # power factors
        return "", -2
    if group in (1, 2, 21, 22, 41, 42, 61, 62):
        return "W", 0
    if group in (3, 4):
        return "var", 0
    if group in (31, 51, 71):
        return "A", -2
    if group in (32, 52, 72):
        return "V", 0
    return "", 0


def kaifa_scale(group, kind):
    """Return (unit, exponent) of OBIS fields C and D in a Kaifa list with codes (Sweden)."""
    if group in (1, 2) and kind in (7, 8):
        return ("W", 0) if kind == 7 else ("Wh", 0)
    if group in (3, 4) and kind in (7, 8):
        return ("var", 0) if kind == 7 else ("varh", 0)
    if kind == 7 and group in (31, 51, 71):
        return "A", -3
    if kind == 7 and group in (32, 52, 72):
        return "V", -1
    return "", None
