"""IEC 62056-21 read-outs in all modes, scripted from the standard's section 6."""

from drivers.checksums import xor8
from drivers.iec62056 import IEC62056
from drivers.reading import NO_REPLY
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_DATA = b"0.0.0(12345)\r\n1.8.0(000285.4*kWh)\r\n9.4(088*C&082*C)\r\n"
_BODY = _DATA + b"!\r\n\x03"
_MESSAGE = b"\x02" + _BODY + bytes((xor8(_BODY, 0, len(_BODY)),))
_GOOD = b"/LGZ5ident\r\n" + _MESSAGE
_TABLE = {
    "protocol": "iec62056",
    "points": (("energy", "Wh", 2, "counter", "1.8.0"), ("return", "degC", 0, "gauge", "9.4[1]")),
}


def _open():
    return IEC62056(None, {})


def test_values_of_a_read_out_are_exact():
    rows = Collected(_open()).feed(_GOOD).rows[0]
    assert [row[:4] for row in rows] == [
        ("0.0.0", b"12345", 0, ""),
        ("1.8.0", 2854, -1, "kWh"),
        ("9.4", 88, 0, "C"),
        ("9.4", 82, 0, "C"),
    ]


def test_any_split_gives_the_same_readings():
    for whole, cut in ways_to_cut(_open, _GOOD):
        assert whole == cut and len(whole) == 1


def test_mode_c_changes_the_speed_after_the_acknowledge_and_falls_back():
    driver = IEC62056(_TABLE, {"mode": "C"})
    got = Collected(driver)
    out = bytearray(64)
    assert bytes(out[: driver.request(out)]) == b"/?!\r\n" and driver.line == (300, 7, "E", 1)
    driver.sent(0)
    got.feed(b"/?!\r\n/LGZ5ident\r\n")
    assert not driver.waiting
    assert bytes(out[: driver.request(out)]) == b"\x06050\r\n" and driver.line[0] == 300
    driver.sent(0)
    assert driver.line == (9600, 7, "E", 1)
    assert bytes(out[: driver.request(out)]) == b"/?!\r\n" and driver.line[0] == 300
    got.feed(b"/LGZ5ident\r\n")
    assert bytes(out[: driver.request(out)]) == b"\x06000\r\n"
    driver.sent(0)
    assert driver.line[0] == 300
    got.feed(_MESSAGE)
    assert [row[1] for row in got.rows[0]] == [2854, 82] and not driver.waiting
    assert driver.request(out) == 0


def test_it_waits_as_long_as_the_answer_can_take():
    driver = IEC62056(_TABLE, {"mode": "C", "size": 1200})
    got = Collected(driver)
    driver.request(bytearray(64))
    assert driver.reply_ms == 4000  # a dead meter does not hold its port for a minute
    got.feed(b"/LGZ5ident\r\n")
    driver.request(bytearray(64))
    assert driver.reply_ms == 2000 + 1250
    driver.sent(0)
    driver.request(bytearray(64))
    got.feed(b"/LGZ5ident\r\n")
    driver.request(bytearray(64))
    assert driver.reply_ms == 2000 + 40000  # it did not follow: 1200 bytes at 300 baud


def test_modes_a_and_b_send_without_an_acknowledge():
    for mode, letter, baud in (("A", b" ", 300), ("B", b"E", 9600)):
        driver = IEC62056(_TABLE, {"mode": mode})
        driver.request(bytearray(64))
        got = Collected(driver).feed(b"/LGZ" + letter + b"id\r\n")
        assert driver.line[0] == baud and driver.waiting
        assert len(got.feed(_MESSAGE).rows) == 1


def test_mode_d_listens_and_a_cut_push_costs_only_itself():
    driver = IEC62056(_TABLE, {"mode": "D"})
    assert driver.request(bytearray(64)) == 0
    push = b"/EMH5ident\r\n\r\n" + _DATA + b"!\r\n"
    for cut in range(len(push)):
        got = Collected(driver).feed(push[:cut] + push)
        assert len(got.rows) == 1, (cut, got.errors)


def test_a_wrong_checksum_refuses_the_read_out():
    for at in range(13, len(_GOOD)):
        bad = bytearray(_GOOD)
        bad[at] ^= 1
        got = Collected(IEC62056(_TABLE, {"mode": "D"})).feed(bytes(bad)).silence()
        assert not got.rows, (at, got.rows)


def test_a_load_profile_gives_each_row_its_time():
    profile = b"P.01(1220823161500)(08)(15)(2)(1.5)(kW)(2.5)(kW)\r\n(0.5)(0.1)\r\n(0.6)(0.2)"
    rows = Collected(_open()).feed(profile).silence().rows[0]
    assert [(row[0], row[1], row[3], row[5]) for row in rows[1:]] == [
        ("1.5", 5, "kW", 1661264100),
        ("2.5", 1, "kW", 1661264100),
        ("1.5", 6, "kW", 1661265000),
        ("2.5", 2, "kW", 1661265000),
    ]


def test_a_battery_meter_is_left_in_peace():
    driver = IEC62056(_TABLE, {"min_interval_s": 900, "wake": 40, "address": "7"})
    out = bytearray(64)
    assert driver.wait_ms == 900000
    assert bytes(out[: driver.request(out)]) == b"\x00" * 40 + b"/?7!\r\n"


def test_a_malformed_line_costs_a_desk_no_other():
    data = b"/LUGCUH50\r\n6.8(0071813*kWh)\\\r\n6.26(01084.58*m3)oops\r\n9.20(70376057)\r\n!\r\n"
    got = Collected(IEC62056(None, {})).feed(data).silence()
    assert [row[0] for row in got.rows[0]] == ["6.8", "6.26", "9.20"], got.errors
    assert len(got.errors) == 1 and "code at byte 16" in got.errors[0]
    table = {"points": (("energy", "Wh", 3, "counter", "6.8"),)}
    got = Collected(IEC62056(table, {"mode": "D"})).feed(data).silence()
    assert not got.rows and len(got.errors) == 1  # a gateway believes all of it or nothing


def test_options_that_cannot_be_are_refused():
    for options, why in (
        ({"mode": "E"}, "mode: E"),
        ({"baud": 9601}, "baud: 9601"),
        ({"size": 63}, "size: 63"),
        ({"settle_ms": 1501}, "settle_ms: 1501"),
        ({"settle_ms": -1}, "settle_ms: -1"),
    ):
        try:
            IEC62056(_TABLE, options)
        except ValueError as error:
            assert why in str(error)
        else:
            assert False, options


def test_the_speed_is_no_higher_than_the_line_allows():
    for offered, baud, acknowledge in (
        (b"6", 9600, b"\x06050\r\n"),
        (b"6", 2400, b"\x06030\r\n"),
        (b"3", 9600, b"\x06030\r\n"),
        (b"E", 9600, b"\x06000\r\n"),  # a letter of mode B offers none
    ):
        driver = IEC62056(_TABLE, {"mode": "C", "baud": baud})
        out = bytearray(64)
        driver.request(out)
        Collected(driver).feed(b"/LGZ" + offered + b"id\r\n")
        assert bytes(out[: driver.request(out)]) == acknowledge, (offered, baud)


def test_a_meter_that_says_nothing_is_given_up_for_this_turn():
    driver = IEC62056(_TABLE, {"mode": "C"})
    got = Collected(driver)
    driver.request(bytearray(64))
    driver.give_up(got.emit, NO_REPLY)
    assert [(row[1], row[4]) for row in got.rows[0]] == [(None, NO_REPLY)] * 2
    assert not driver.waiting and driver.line == (300, 7, "E", 1)


def test_a_read_out_longer_than_the_buffer_is_refused():
    driver = IEC62056(_TABLE, {"mode": "D", "size": 64})
    got = Collected(driver).feed(b"/LGZ5ident\r\n" + _DATA * 2 + b"!\r\n" + _GOOD)
    assert "longer than 64" in got.errors[0] and len(got.rows) == 1


def test_an_end_without_its_beginning_is_no_read_out():
    got = Collected(IEC62056(_TABLE, {"mode": "D"})).feed(
        b"/LGZ5ident\r\n" + _DATA + b"\x03x" + _GOOD
    )
    assert got.errors == ["ETX without STX"] and len(got.rows) == 1
    got = Collected(IEC62056(_TABLE, {"mode": "D"})).feed(b"/LGZ5ident" + _MESSAGE)
    assert len(got.rows) == 1  # the end of the line was lost


def test_a_malformed_data_set_refuses_the_read_out():
    body = b"1.8.0(000285.4*kWh\r\n!\r\n\x03"
    data = b"/LGZ5ident\r\n\x02" + body + bytes((xor8(body, 0, len(body)),))
    got = Collected(IEC62056(_TABLE, {"mode": "D"})).feed(data)
    assert not got.rows and "no end" in got.errors[0]
