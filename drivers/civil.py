"""Calendar dates to seconds since 1970 UTC, in integers, for meters that send local time.

Not a clock: what time it is now is agent/clock.py's business. European summer time: directive
2000/84/EC (last Sunday of March to last Sunday of October, 01:00 UTC).

    utc_seconds(2022, 1, 5, 13, 0, 56, 60)      # 13:00:56 at UTC+1 gives 1641384056
"""


def days(year, month, day):
    """Return the days since 1970-01-01 of a Gregorian date; month 1 .. 12."""
    if month <= 2:
        year -= 1
        month += 12
    return (
        365 * year
        + year // 4
        - year // 100
        + year // 400
        + (153 * month - 457) // 5
        + day
        - 719469
    )


def utc_seconds(year, month, day, hour, minute, second, offset_min):
    """Return seconds since 1970 UTC of a local time that is offset_min ahead of UTC, or None.

    None: the fields are no date and time (month 13, hour 25 ...).
    """
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute <= 59 and second <= 60):
        return None
    return days(year, month, day) * 86400 + hour * 3600 + (minute - offset_min) * 60 + second


def _last_sunday(year, month):
    """Return the days since 1970 of the last Sunday of a month that has 31 days."""
    last = days(year, month, 31)
    return last - (last + 4) % 7  # 1970-01-01 was a Thursday


def is_eu_summer(year, month, day, hour):
    """Return whether a central European wall clock shows summer time at this local hour.

    The doubled hour in October counts as summer time, the skipped one in March as winter.
    """
    if month < 3 or month > 10:
        return False
    if 3 < month < 10:
        return True
    today = days(year, month, day)
    sunday = _last_sunday(year, month)
    if today != sunday:
        return (today > sunday) == (month == 3)
    return hour >= 3 if month == 3 else hour < 3
