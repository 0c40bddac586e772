"""Values stay integers with an exponent, and None always says why."""

from drivers import reading
from drivers.ticks import ticks_add, ticks_diff


def test_decimal_text_is_exact_for_either_sign_and_exponent():
    for value, exponent, text in (
        (2304, -1, "230.4"),
        (2300, -1, "230.0"),
        (-5, -3, "-0.005"),
        (0, -2, "0.00"),
        (12, 3, "12000"),
        (7, 0, "7"),
        (18446744073709551615, -3, "18446744073709551.615"),
    ):
        assert reading.decimal_text(value, exponent) == text


def test_a_value_beyond_64_bits_is_null_with_overflow():
    r = reading.Reading((reading.Point("energy", "Wh", 0, reading.COUNTER, 0),))
    assert r.values[0] is None and r.quality[0] == reading.MISSING
    r.set(0, (1 << 64) - 1)
    assert r.values[0] == (1 << 64) - 1 and r.quality[0] == reading.GOOD
    for value in (1 << 64, -(1 << 63) - 1):
        r.set(0, value)
        assert r.values[0] is None and r.quality[0] == reading.OVERFLOW


def test_ticks_wrap():
    top = (1 << 30) - 1
    assert ticks_add(top, 1) == 0
    assert ticks_diff(5, top) == 6
    assert ticks_diff(top, 5) == -6
    assert ticks_add(3, -5) == top - 1
