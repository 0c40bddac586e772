"""Scaling and units on the way from a frame to a point, in exact integers."""

from drivers.gather import NEW, NOT_WANTED, Gather, rescale
from drivers.reading import COUNTER, GAUGE, GOOD, MISSING, OVERFLOW, TEXT, UNAVAILABLE
from drivers.units import cosem, known, relation


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


_POINTS = (
    ("energy", "Wh", 0, "counter", "e"),
    ("serial", "", 0, "text", "s"),
    ("power", "W", 0, "gauge", "p"),
)


def _gather(options=None):
    gather = Gather({"points": _POINTS}, options or {}, str.encode)
    gather.start()
    return gather


def test_a_map_is_restricted_to_points_that_it_has():
    assert [p.name for p in _gather({"points": ["power"]}).points] == ["power"]
    try:
        _gather({"points": ["power", "volts"]})
    except ValueError as why:
        assert "the map has no volts" in str(why)
    else:
        assert False


def test_a_value_of_another_kind_unit_or_size_is_none():
    gather = _gather()
    gather.put(0, "", 5, 0, "kWh", COUNTER, None)
    gather.put(1, "", 5, 0, "", GAUGE, None)  # a number where a text is expected: not this point
    gather.put(2, "", b"off", 0, "", TEXT, None)
    reading = gather.finish(0)
    assert list(reading.values) == [5000, None, None]
    assert list(reading.quality) == [GOOD, MISSING, UNAVAILABLE]
    gather.start()
    gather.put(0, "", 5, 0, "V", COUNTER, None)
    gather.put(1, "", b"12", 0, "", TEXT, None)
    gather.put(2, "", 5, 41, "W", GAUGE, None)  # no meter means ten to the 41
    reading = gather.finish(0)
    assert list(reading.values) == [None, b"12", None]
    assert list(reading.quality) == [MISSING, GOOD, OVERFLOW]


def test_codes_are_found_whole_and_in_order():
    gather = _gather()
    data = b"..p.."
    assert gather.find(data, 2, 3) == 2 and gather.find(data, 2, 4) == NOT_WANTED
    assert gather.find(data, 2, 3, after=2) == NOT_WANTED
    everything = Gather(None, {}, str.encode)
    assert everything.find(data, 0, 1) == NEW and everything.find(data, 0, 1, 0) == NOT_WANTED


def test_units_that_are_in_no_table_are_kept_as_they_come():
    for text in ("kWh", "m3", "kvarh", "s", "bushel", "kWhx", ""):
        data = ("(" + text + ")").encode()
        assert known(data, 1, len(data) - 1) == text
