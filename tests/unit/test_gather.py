"""Scaling and units on the way from a frame to a point, in exact integers."""

from drivers.gather import rescale
from drivers.units import cosem, relation


def test_rescaling_is_exact_and_rounds_halves_away_from_zero():
    assert rescale(34034, -3, -3) == 34034 and rescale(12, 3, 0) == 12000
    assert rescale(15, -1, 0) == 2 and rescale(-15, -1, 0) == -2 and rescale(14, -1, 0) == 1
    assert rescale(2**63 - 1, 0, -1) == (2**63 - 1) * 10


def test_units_of_one_quantity_are_related_and_others_are_not():
    assert relation("kWh", "Wh") == 3 and relation("Wh", "MWh") == -6
    assert relation("l", "m3") == -3 and relation("V", "V") == 0
    assert relation("V", "A") is None and relation("GJ", "kWh") is None


def test_cosem_units_stand_at_their_codes():
    assert [cosem(code) for code in (9, 13, 27, 28, 29, 30, 32, 33, 35, 44, 56)] == [
        "degC", "m3", "W", "VA", "var", "Wh", "varh", "A", "V", "Hz", "%",
    ]  # fmt: skip
    assert cosem(255) == "" and cosem(0) == "" and cosem(72) == "dB"
