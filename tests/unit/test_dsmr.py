"""P1 telegrams built from the companion standard, fed in every way a line can deliver them."""

import sys

from drivers.checksums import crc16_modbus
from drivers.dsmr import DSMR
from drivers.reading import UNAVAILABLE
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_LINES = (
    "/XYZ5\\2METER-4\r\n\r\n1-3:0.2.8(42)\r\n0-0:1.0.0(200512135409S)\r\n"
    "1-0:1.8.1(000034.034*kWh)\r\n1-0:1.7.0(01.193*kW)\r\n0-0:96.14.0(0002)\r\n"
    "0-0:96.13.0()\r\n1-0:32.7.0(-----*V)\r\n"
    "0-1:24.1.0(003)\r\n0-1:24.2.1(101209110000W)(12785.123*m3)\r\n!"
).encode()
_OLD = (
    b"/XYZ5OLD\r\n\r\n1-0:1.8.1(00608.400*kWh)\r\n"
    b"0-1:24.3.0(161107190000)(00)(60)(1)(0-1:24.2.1)(m3)\r\n(00001.001)\r\n!\r\n"
)
_TABLE = {
    "protocol": "dsmr",
    "points": (
        ("energy", "Wh", 0, "counter", "1-0:1.8.1"),
        ("power", "W", 0, "gauge", "1-0:1.7.0"),
        ("tariff", "", 0, "state", "0-0:96.14.0"),
        ("voltage", "V", -1, "gauge", "1-0:32.7.0"),
        ("gas", "m3", -3, "counter", "0-1:24.2.1"),
    ),
}


def _closed(lines):
    return lines + b"%04X\r\n" % crc16_modbus(lines, 0, len(lines), 0)


_GOOD = _closed(_LINES)


def _open():
    return DSMR(None, {})


def _mapped():
    return DSMR(_TABLE, {})


def test_values_keep_decimals_unit_and_time():
    frame = Collected(_open()).feed(_GOOD).frames[0]
    assert frame["1-0:1.8.1"][:3] == (34034, -3, "kWh")
    assert frame["1-0:1.8.1"][4] == 1589284449  # 13:54:09 in summer is 11:54:09 UTC
    assert frame["0-1:24.2.1"][:3] == (12785123, -3, "m3")
    assert frame["0-1:24.2.1"][4] == 1291888800
    assert frame["0-0:96.14.0"][0] == b"0002" and frame["0-0:96.13.0"][0] == b""


def test_a_map_gives_its_own_units():
    row = Collected(_mapped()).feed(_GOOD).rows[0]
    assert [cell[1] for cell in row] == [34034, 1193, 2, None, 12785123], row
    assert row[3][4] == UNAVAILABLE


def test_version_2_has_no_checksum_and_its_gas_on_two_lines():
    frame = Collected(_open()).feed(_OLD).frames[0]
    assert frame["0-1:24.3.0"][:3] == (1001, -3, "m3")
    assert frame["0-1:24.3.0"][4] == 1478541600
    assert not Collected(DSMR(None, {"crc": True})).feed(_OLD).rows


def test_a_checksum_without_leading_zeros_is_accepted():
    for spare in range(2000):
        lines = _LINES[:-1] + b"0-0:96.1.1(%d)\r\n!" % spare
        crc = crc16_modbus(lines, 0, len(lines), 0)
        if crc < 0x1000:
            assert len(Collected(_open()).feed(lines + b"%X\r\n" % crc).rows) == 1
            return
    assert False, "no such checksum found"


def test_any_split_gives_the_same_readings():
    for whole, cut in ways_to_cut(_open, _GOOD):
        assert whole == cut and len(whole) == 1


def test_a_flipped_bit_never_gives_a_value_and_never_costs_the_neighbours():
    driver = _mapped()
    good = Collected(driver).feed(_GOOD).rows[0]
    step = 1 if sys.implementation.name != "micropython" else 7
    for bit in range(0, 8 * len(_GOOD), step):
        bad = bytearray(_GOOD)
        bad[bit >> 3] ^= 1 << (bit & 7)
        got = Collected(driver).feed(_GOOD + bytes(bad) + _GOOD).silence()
        assert len(got.rows) >= 2 and all(row == good for row in got.rows), (bit, got.rows)


def test_a_telegram_cut_anywhere_costs_only_itself():
    for cut in range(len(_GOOD)):
        got = Collected(_open()).feed(_GOOD[:cut] + _GOOD)
        assert len(got.rows) >= 1 and got.rows[-1] == Collected(_open()).feed(_GOOD).rows[0]


def test_a_telegram_longer_than_the_buffer_is_refused():
    got = Collected(DSMR(None, {"size": 64})).feed(_GOOD).feed(_OLD[:60])
    assert not got.rows and "longer than 64" in got.errors[0]


def test_parity_bits_are_dropped_from_every_byte():
    raised = bytes(byte | 0x80 for byte in _GOOD)
    assert Collected(_open()).feed(raised).rows == Collected(_open()).feed(_GOOD).rows


def test_malformed_lines_refuse_the_telegram():
    for bad in (b"1-0:1.8.1(1\r\n!", b"(5)\r\n!", b"1-0:1.8.1\r\n!", b"1-0:1.8.1((5)\r\n!"):
        got = Collected(_open()).feed(_closed(b"/XYZ5A\r\n\r\n" + bad))
        assert not got.rows and len(got.errors) == 1, bad


def test_a_mapped_meter_allocates_nothing_while_bytes_come():
    if sys.implementation.name != "micropython":
        return
    import micropython

    driver = _mapped()
    count = [0]

    def emit(reading):
        count[0] += 1

    data = _GOOD
    last = len(data) - 2  # the end of the line that has the check sum
    driver.feed(data, 0, len(data), 0, emit)
    micropython.heap_lock()
    try:
        driver.feed(data, 0, last, 0, emit)
    finally:
        micropython.heap_unlock()
    driver.feed(data, last, len(data), 0, emit)  # a date is no small integer of a board
    assert count[0] == 2


def test_a_checksum_that_is_none_or_missing_costs_only_its_telegram():
    driver = _mapped()
    for bad, why in (
        (_LINES + b"12345\r\n", "where the checksum"),
        (_LINES + b"12G4\r\n", "0x47 where the checksum"),
        (_LINES + b"\r\n", "without its checksum"),  # it has sent one before
    ):
        got = Collected(driver).feed(_GOOD + bad + _GOOD)
        assert len(got.rows) == 2 and why in got.errors[0], got.errors
    lower = _LINES + (b"%04x\r\n" % crc16_modbus(_LINES, 0, len(_LINES), 0))
    assert len(Collected(_open()).feed(lower).rows) == 1


def test_silence_ends_a_telegram_and_a_port_asks_nothing():
    driver = _mapped()
    got = Collected(driver).feed(_GOOD[:50]).silence()
    assert "silence after 50 bytes" in got.errors[0] and len(got.silence().errors) == 1
    got = Collected(driver).feed(_GOOD[:-2]).silence()  # all but the end of its line
    assert len(got.rows) == 1 and driver.request(bytearray(8)) == 0
    driver.sent(0)
    driver.give_up(got.emit, 0)
    assert len(got.rows) == 1
    try:
        DSMR(_TABLE, {"size": 63})
    except ValueError as why:
        assert "size: 63" in str(why)
    else:
        assert False
