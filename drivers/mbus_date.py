"""M-Bus dates and times: types F, G, I and J of EN 13757-3:2018, annex A.

   byte 0      1           2           3           4           5
G  yyy ddddd   yyyy mmmm                                             y: low three bits first
F  I. minute   S hh hour   yyy ddddd   yyyy mmmm
I  .S second   I. minute   weekday hour yyy ddddd  yyyy mmmm   week
J  .. second   .. minute   ... hour

I: 1 invalid    S: 1 summer time    hh: centuries since 1900
"""

from drivers.civil import utc_seconds


def read(data, at, length, offset_min):
    """Return (text, seconds) of the date of so many bytes at data[at].

    text: ISO 8601 as the meter shows it, bytes, or None where it says that it is invalid.
    seconds: since 1970 UTC, or None; offset_min: of the meter's winter time ahead of UTC.
    None instead of both when no type is so long.
    """
    clock = {2: 0, 3: 3, 4: 2, 6: 3}.get(length)  # bytes before the date
    if clock is None:
        return None
    hour = data[at + clock - 1] & 0x1F if clock else 0
    minute = data[at + clock - 2] & 0x3F if clock else 0
    second = data[at] & 0x3F if clock == 3 else 0
    if length == 3:
        is_time = hour < 24 and minute < 60 and second < 60
        return ("%02d:%02d:%02d" % (hour, minute, second)).encode() if is_time else None, None
    low = data[at + clock]
    high = data[at + clock + 1]
    year = low >> 5 | (high & 0xF0) >> 1
    centuries = data[at + 1] >> 5 & 3 if length == 4 else 1
    if not centuries and year <= 80:  # old meters count two digits only
        centuries = 1
    year += 1900 + 100 * centuries
    month = high & 0x0F
    day = low & 0x1F
    is_summer = (length == 4 and data[at + 1] & 0x80) or (length == 6 and data[at] & 0x40)
    if (clock and data[at + clock - 2] & 0x80) or (low == 0xFF and high == 0xFF):
        return None, None
    text = "%04d-%02d-%02d" % (year, month, day)
    if clock:
        text += "T%02d:%02d:%02d" % (hour, minute, second)
    offset_min += 60 if is_summer else 0
    return text.encode(), utc_seconds(year, month, day, hour, minute, second, offset_min)
