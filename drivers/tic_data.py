"""What the data of a TIC group say: numbers, numbers with their unit, dates.

Not groups (drivers/tic.py), nor labels (drivers/tic_labels.py). Sources: Enedis-NOI-CPT_54E, 6.2;
Enedis-NOI-CPT_02E, 5. Each reads line[begin:end]; ValueError says what cannot be.

    number(b"011887649", 0, 9, 10)        # 11887649
    united(b"12.5kWh", 0, 7)              # (125, -1, "kWh")
    horodate(b"E260704101112", 0, 13)     # 1783152672
"""

from micropython import const

from drivers.civil import is_eu_summer, utc_seconds

_SPACE = const(0x20)
_SLASH = const(0x2F)


def number(line, begin, end, base):
    """Return the digits as an integer, base 10 or 16."""
    value = 0
    for i in range(begin, end):
        digit = line[i] - 0x30
        if digit > 9 and base == 16:
            digit = line[i] - 0x37 if 0x41 <= line[i] <= 0x46 else -1
        if not 0 <= digit < base:
            raise ValueError("0x%02x is no digit" % line[i])
        value = value * base + digit
    if begin == end:
        raise ValueError("a number without digits")
    return value


def united(line, begin, end):
    """Return (value, exponent, unit) of a number that carries its unit: 12.5kWh."""
    i = begin
    negative = i < end and line[i] == 0x2D
    if negative:
        i += 1
    value = digits = exponent = 0
    point = False
    while i < end and (0x30 <= line[i] <= 0x39 or (line[i] in b".," and not point)):
        if line[i] in b".,":
            point = True
        else:
            value = value * 10 + line[i] - 0x30
            digits += 1
            if point:
                exponent -= 1
        i += 1
    if not 0 < digits <= 15:
        raise ValueError("%d digits before a unit" % digits)
    unit = bytes(line[i:end]).strip().decode()
    return (-value if negative else value), exponent, unit


def _pair(line, at):
    """Return the two digits at `at`, -1 when they are none."""
    high = line[at] - 0x30
    low = line[at + 1] - 0x30
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else -1


def horodate(line, begin, end):
    """Return the seconds since 1970 UTC of a date SYYMMDDhhmmss, None when it is none.

    S is the season: H winter, E summer, small when the meter's clock is not set (CPT_54E,
    6.2.1); a space where the date was announced, not measured.
    """
    if end - begin != 13:
        return None
    season = line[begin] | 0x20
    if season not in (0x65, 0x68) and line[begin] != _SPACE:
        return None
    summer = season == 0x65
    year, month, day = _pair(line, begin + 1), _pair(line, begin + 3), _pair(line, begin + 5)
    hour, minute, second = _pair(line, begin + 7), _pair(line, begin + 9), _pair(line, begin + 11)
    if min(year, month, day, hour, minute, second) < 0:
        return None
    if line[begin] == _SPACE:
        summer = is_eu_summer(2000 + year, month, day, hour)
    return utc_seconds(2000 + year, month, day, hour, minute, second, 120 if summer else 60)


def slashed(line, begin, end):
    """Return the seconds of a PME-PMI date DD/MM/YY hh/mm/ss, legal time, None when it is none."""
    if end - begin != 17 or line[begin + 8] != _SPACE:
        return None
    for i in (2, 5, 11, 14):
        if line[begin + i] not in b"/:":
            return None
    day, month, year = _pair(line, begin), _pair(line, begin + 3), _pair(line, begin + 6)
    hour, minute, second = _pair(line, begin + 9), _pair(line, begin + 12), _pair(line, begin + 15)
    if min(year, month, day, hour, minute, second) < 0:
        return None
    summer = is_eu_summer(2000 + year, month, day, hour)
    return utc_seconds(2000 + year, month, day, hour, minute, second, 120 if summer else 60)
