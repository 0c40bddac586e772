"""Data sets alone, as read-outs and telegrams have them: IEC 62056-21, 6.5; DSMR P1, 6.4; VDEW."""

from drivers.obis import Text
from drivers.reading import GOOD, MISSING, UNAVAILABLE
from tests.fakes.collector_of_readings import Collected


def _read(lines, *points):
    """Return the rows (code, value, exponent, unit, quality, time) of these lines."""
    text = Text({"points": points} if points else None, {})
    text.gather.start()
    data = lines.encode()
    text.read(data, 0, len(data))
    got = Collected(None)
    got.emit(text.gather.finish(0))
    return got.rows[0]


def _refused(lines, *points):
    try:
        _read(lines, *points)
    except ValueError as why:
        return str(why)
    raise AssertionError("accepted: %r" % lines)


def _ending(row, count, last):
    """Return these first columns of a map's row, and another one behind them."""
    columns = list(row[:count])
    columns.append(last)
    return tuple(columns)


def test_codes_of_a_map_and_its_zone_are_checked():
    for code in ("", "[1]", "9.4[", "9.4[1", "9.4[x]"):
        assert "is no code" in _refused("", ("a", "Wh", 0, "counter", code)), code
    for offset in (-721, 841):
        try:
            Text(None, {"utc_offset_min": offset})
        except ValueError as why:
            assert "no time zone" in str(why)
        else:
            assert False, offset


def test_numbers_of_every_spelling():
    for text, value, exponent in (
        ("000034.034", 34034, -3),
        ("-000.8", -8, -1),
        ("+12", 12, 0),
        ("  80 ", 80, 0),
        ("1,5", 15, -1),
        (".5", 5, -1),
        ("5.", 5, 0),
    ):
        assert _read("1.8.0(%s*kWh)" % text)[0][1:4] == (value, exponent, "kWh"), text
    for text in ("", " ", "-", ".", "1.2.3", "0x10", "9" * 37, "1-2"):
        row = _read("1.8.0(%s*kWh)" % text, ("energy", "Wh", 0, "counter", "1.8.0"))[0]
        assert row[1] is None and row[4] == UNAVAILABLE, text


def test_a_map_takes_the_units_that_it_names():
    volts = ("voltage", "V", -1, "gauge", "32.7")
    assert _read("32.7(230.5*V)", volts)[0][1] == 2305
    assert _read("32.7(230.5)", volts)[0][1] == 2305  # the meter says no unit: it is the point's
    assert _read("32.7(0.2305)", _ending(volts, 5, "kV"))[0][1] == 2305  # or the sixth column's
    assert _read("32.7(230.5*A)", volts)[0][4] == MISSING  # of another quantity: another meter
    assert _read("32.7(230.5*m3)", _ending(volts, 4, "32.6"))[0][4] == MISSING
    assert _read("0.0.0(1234)", ("serial", "", 0, "text", "0.0.0"))[0][1] == b"1234"


def test_storage_255_may_be_left_out_and_no_other():
    energy = ("energy", "Wh", 0, "counter", "1-0:1.8.0")
    assert _read("1-0:1.8.0*255(5*Wh)", energy)[0][1] == 5
    assert _read("1-0:1.8.0(5*Wh)", _ending(energy, 4, "1-0:1.8.0*255"))[0][1] == 5
    for storage in ("*254", "*245", "*155", "*25"):
        assert _read("1-0:1.8.0%s(5*Wh)" % storage, energy)[0][4] == MISSING, storage
    first = _ending(energy, 4, "1.8.0*01")
    assert _read("1.8.0*01(7*Wh)\r\n1.8.0*02(8*Wh)\r\n1.8.0*01(9*Wh)", first)[0][1] == 7


def test_the_second_value_of_a_data_set_has_a_code_of_its_own():
    back = ("return", "degC", 0, "gauge", "9.4[1]")
    assert _read("9.4(088*C&082*C)", back)[0][1] == 82
    assert _read("9.4(088*C)(082*C)", back)[0][1] == 82
    rows = _read("9.4(088*C&)")
    assert [row[1:4] for row in rows] == [(88, 0, "C"), (b"", 0, "")]
    assert len(_read("6.6(0*kW&1*kW&2*kW)")) == 3


def test_a_time_belongs_to_the_value_behind_it():
    gas = ("gas", "m3", -3, "counter", "0-1:24.2.1")
    for stamp, time in (
        ("200512134558S", 1589283958),  # summer: two hours ahead of UTC
        ("101209110000W", 1291888800),
    ):
        row = _read("0-1:24.2.1(%s)(00112.384*m3)" % stamp, gas)[0]
        assert (row[1], row[5]) == (112384, time), stamp
    rows = _read("0-1:24.2.1(200512134558S)")  # no value: it is what the meter sent
    assert rows[0][1] == b"200512134558S"
    rows = _read("1-0:99.97.0(200512134558S)(200512134559S)(0000000240*s)")
    assert rows[0][1] == b"200512134558S" and rows[1][1] == 240 and rows[1][5] == 1589283959
    assert _read("0.9.1(20051213455AS)")[0][1] == b"20051213455AS"  # no digits, no time
    assert _read("0.9.1(205512134558S)")[0][1] == b"205512134558S"  # no such day, no time
    clock = _read("1.0.0(200512134558S)\r\n1.8.0(5*Wh)")
    assert clock[0][5] == clock[1][5] == 1589283958  # the telegram's own


def test_the_clock_of_a_heat_meter_dates_the_read_out():
    rows = _read("6.8(0071813*kWh)\r\n9.36(2017-01-18&01:36:47)")
    assert rows[0][5] == 1484699807 and rows[1][1] == b"2017-01-18&01:36:47"
    for wrong in (
        "2017-01-18 01:36:47",
        "2017-1-18&01:36:47",
        "20x7-01-18&01:36:47",
        "20xx-01-18&01:36:47",
    ):
        assert _read("6.8(1*kWh)\r\n9.36(%s)" % wrong)[0][5] is None, wrong


_PROFILE = "P.01(%s)(08)(15)(2)(1.5)(kW)(2.5)(kW)\r\n(0.5)(0.1)\r\n(0.6)(0.2)"


def test_a_load_profile_has_the_season_of_its_first_row():
    # VDEW 2.1.2: the first digit says 0 winter, 1 summer, 2 UTC
    for stamp, time in (
        ("0220823161500", 1661267700),
        ("1220823161500", 1661264100),
        ("2220823161500", 1661271300),
        ("220823161500", 1661264100),  # DSMR 2.2 says none: by the calendar of the Union
        ("220123161500", 1642950900),
        ("x", None),
    ):
        rows = _read(_PROFILE % stamp)
        assert [row[1] for row in rows[1:]] == [5, 1, 6, 2] and rows[0][1] == b"08"
        assert rows[1][5] == time and rows[3][5] == (time and time + 900), stamp


def test_points_of_a_profile_take_its_first_row():
    points = (("import", "W", 2, "gauge", "1.5"), ("export", "W", 2, "gauge", "2.5"))
    assert [row[1] for row in _read(_PROFILE % "0220823161500", *points)] == [5, 1]


def test_a_log_book_has_a_status_and_no_columns():
    rows = _read("P.98(0220823161500)(00008000)()(2)(0.9.1)()(0.9.2)()(161500)(220823)")
    assert [row[:2] for row in rows] == [
        ("P.98", b"00008000"),
        ("0.9.1", b"161500"),
        ("0.9.2", b"220823"),
    ]
    assert {row[5] for row in rows} == {1661267700}
    assert [row[1] for row in _read("P.98(0220823161500)(00)()(0)(5)(6)")] == [b"00"]
    assert "17 columns" in _refused("P.01(0220823161500)(00)(15)(17)")
    assert [row[1] for row in _read("P.01(0220823161500)(00)(x)(x)(5)")] == [b"00"]


def test_gas_of_dsmr_2_2_has_the_code_of_its_set():
    line = "0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)"
    assert _read(line)[0][:4] == ("0-1:24.3.0", 1001, -3, "m3")
    gas = ("gas", "m3", -3, "counter", "0-1:24.3.0")
    row = _read(line, gas)[0]
    assert (row[1], row[4], row[5]) == (1001, GOOD, 1478541600)
    # a code that only ends like it is no profile
    assert _read("0-1:124.3.0(5*m3)")[0][1] == 5


def test_malformed_lines_are_refused():
    for line, why in (
        ("1.8.0(5", "no end"),
        ("1.8.0(5\r\n)", "no end"),
        ("1.8.0((5)", "no end"),
        ("(5)", "no code"),
        ("1.8.0", "has no value"),
        ("1.8 .0(5)", "code at"),
        ("1.8)0(5)", "code at"),
        ("1.8\x7f0(5)", "code at"),
        ("1" * 33 + "(5)", "has no value"),
    ):
        assert why in _refused(line), line
