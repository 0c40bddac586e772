"""Dates against known seconds, and both ends of European summer time."""

from drivers.civil import days, is_eu_summer, utc_seconds


def test_known_dates_give_known_seconds():
    assert days(1970, 1, 1) == 0 and days(2000, 2, 29) == 11016 and days(2024, 3, 1) == 19783
    assert utc_seconds(2022, 1, 5, 13, 0, 56, 60) == 1641384056
    assert utc_seconds(1999, 12, 31, 23, 59, 59, 0) == 946684799


def test_days_are_consecutive_through_four_centuries():
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    last = days(1999, 12, 31)
    for year in range(2000, 2400, 13):
        last = days(year - 1, 12, 31)
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for month in range(1, 13):
            length = 29 if month == 2 and leap else lengths[month - 1]
            assert days(year, month, 1) == last + 1, (year, month)
            last = days(year, month, length)


def test_impossible_dates_are_none():
    assert utc_seconds(2022, 13, 1, 0, 0, 0, 0) is None
    assert utc_seconds(2022, 1, 0, 0, 0, 0, 0) is None
    assert utc_seconds(2022, 1, 1, 25, 0, 0, 0) is None


def test_summer_time_begins_and_ends_on_the_last_sundays():
    assert not is_eu_summer(2024, 3, 30, 23) and not is_eu_summer(2024, 3, 31, 1)
    assert is_eu_summer(2024, 3, 31, 3) and is_eu_summer(2024, 7, 1, 0)
    assert is_eu_summer(2024, 10, 27, 2) and not is_eu_summer(2024, 10, 27, 3)
    assert not is_eu_summer(2024, 12, 24, 12) and not is_eu_summer(2024, 1, 1, 0)
