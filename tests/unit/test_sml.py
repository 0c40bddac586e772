"""SML telegrams built from the specification, fed in every way that a line can deliver them."""

import sys

from drivers.checksums import crc16_x25
from drivers.obis_code import obis_bytes, obis_text
from drivers.reading import GOOD, OVERFLOW
from drivers.sml import SML
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_TABLE = {
    "protocol": "sml",
    "points": (
        ("energy", "Wh", -1, "counter", "1-0:1.8.0*255"),
        ("power", "W", 0, "gauge", "1-0:16.7.0*255", "narrow_unsigned"),
        ("absent", "V", 0, "gauge", "1-0:32.7.0*255"),
    ),
}


def _octets(data):
    if len(data) < 15:
        return bytes((len(data) + 1,)) + data
    length = len(data) + 2
    return bytes((0x80 | length >> 4, length & 15)) + data


def _entry(code, unit, scaler, value, status=b"\x01", time=b"\x01"):
    unit = b"\x01" if unit is None else bytes((0x62, unit))
    scaler = b"\x01" if scaler is None else bytes((0x52, scaler & 255))
    return b"\x77" + _octets(obis_bytes(code)) + status + time + unit + scaler + value + b"\x01"


def _message(tag, body):
    tag = bytes((0x63, tag >> 8, tag & 255))
    return b"\x76\x05\x00\x00\x00\x01\x62\x00\x62\x00\x72" + tag + body + b"\x63\x00\x00\x00"


def telegram(entries, sensor_time=b"\x01"):
    listed = bytes((0x70 | len(entries),)) + b"".join(entries)
    body = b"\x77\x01" + _octets(b"server") + b"\x01" + sensor_time + listed + b"\x01\x01"
    messages = _message(0x0101, b"\x76\x01\x01\x02\x41\x02\x42\x01\x01")
    messages += _message(0x0701, body) + _message(0x0201, b"\x71\x01")
    fill = -len(messages) % 4
    messages += b"\x00" * fill
    parts = messages.split(b"\x1b\x1b\x1b\x1b")
    frame = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + (b"\x1b" * 8).join(parts)
    frame += b"\x1b\x1b\x1b\x1b\x1a" + bytes((fill,))
    crc = crc16_x25(frame, 0, len(frame)) ^ 0xFFFF
    return frame + bytes((crc & 255, crc >> 8))


_ENERGY = _entry("1-0:1.8.0*255", 30, -1, b"\x55\x0a\x47\x1d\x53", b"\x63\x01\x82")
_POWER = _entry("1-0:16.7.0*255", 27, -2, b"\x53\x9c\x40")
_GOOD = telegram((_ENERGY, _POWER, _entry("1-0:0.0.9*255", None, None, _octets(b"\x06EMH"))))


def _open():
    return SML(None, {})


def _mapped():
    return SML(_TABLE, {})


def test_every_value_is_given_with_its_own_scaler_and_unit():
    frame = Collected(_open()).feed(_GOOD).frames[0]
    assert frame["1-0:1.8.0*255"][:3] == (172432723, -1, "Wh"), frame
    assert frame["1-0:16.7.0*255"][:3] == (-25536, -2, "W")
    assert frame["1-0:0.0.9*255"][0] == b"\x06EMH"
    assert frame["1-0:1.8.0*255/status"][0] == 0x182


def test_a_status_word_is_a_point_of_its_own():
    row = ("status", "", 0, "state", "1-0:1.8.0/status")
    driver = SML({"protocol": "sml", "points": (row, _TABLE["points"][0])}, {})
    got = Collected(driver).feed(_GOOD)
    assert [cell[1] for cell in got.rows[0]] == [0x182, 172432723]
    none = telegram((_entry("1-0:1.8.0*255", 30, -1, b"\x52\x07"),))
    assert [cell[1] for cell in got.feed(none).rows[1]] == [None, 7]
    try:
        SML({"protocol": "sml", "points": (("x", "", 0, "state", "1-0:1.8.0/state"),)}, {})
    except ValueError as why:
        assert "/status" in str(why)
    else:
        raise AssertionError("accepted")


def test_a_map_chooses_scales_and_works_around_the_models_fault():
    row = Collected(_mapped()).feed(_GOOD).rows[0]
    assert [cell[1] for cell in row] == [172432723, 400, None], row
    assert row[0][4] == GOOD and row[2][4] != GOOD


def test_integers_of_every_width_keep_their_sign():
    for length in range(1, 9):
        negative = bytes((0x51 + length,)) + b"\xff" * (length - 1) + b"\xfe"
        positive = bytes((0x61 + length,)) + b"\xff" * length
        data = telegram((_entry("1-0:1.7.0*255", 27, 0, negative),))
        assert Collected(_open()).feed(data).frames[0]["1-0:1.7.0*255"][0] == -2
        data = telegram((_entry("1-0:1.7.0*255", 27, 0, positive),))
        expected = (1 << (8 * length)) - 1
        assert Collected(_open()).feed(data).frames[0]["1-0:1.7.0*255"][0] == expected


def test_a_scaler_that_cannot_be_gives_no_number():
    for scaler in (100, -100):
        data = telegram((_entry("1-0:1.8.0*255", 30, scaler, b"\x62\x05"),))
        for driver in (_open(), _mapped()):
            row = Collected(driver).feed(data).frames[0]["1-0:1.8.0*255"]
            assert row[0] is None and row[3] == OVERFLOW


def test_a_long_octet_string_has_a_length_of_two_bytes():
    data = telegram((_entry("129-129:199.130.5*255", None, None, _octets(b"k" * 48)),))
    assert Collected(_open()).feed(data).frames[0]["129-129:199.130.5*255"][0] == b"k" * 48


def test_escapes_within_a_value_are_undone():
    data = telegram((_entry("1-0:1.8.0*255", 30, 0, b"\x59" + b"\x00" * 3 + b"\x1b" * 5),))
    got = Collected(_open()).feed(data)
    assert got.frames[0]["1-0:1.8.0*255"][0] == 0x1B1B1B1B1B and not got.errors


def test_only_a_timestamp_is_a_time_of_day():
    stamp = b"\x72\x62\x02\x65\x61\xd5\x00\x00"
    index = b"\x72\x62\x01\x65\x00\x00\x10\x00"
    value = b"\x62\x05"
    timed = _entry("1-0:1.8.0*255", 30, 0, value, time=stamp)
    plain = _entry("1-0:2.8.0*255", 30, 0, value)
    frame = Collected(_open()).feed(telegram((timed, plain), index)).frames[0]
    assert frame["1-0:1.8.0*255"][4] == 0x61D50000 and frame["1-0:2.8.0*255"][4] is None
    frame = Collected(_open()).feed(telegram((plain,), stamp)).frames[0]
    assert frame["1-0:2.8.0*255"][4] == 0x61D50000


def test_any_split_gives_the_same_readings():
    for whole, cut in ways_to_cut(_open, _GOOD):
        assert whole == cut and len(whole) == 1


def test_a_flipped_bit_never_gives_a_value_and_never_costs_the_neighbours():
    good = Collected(_mapped()).feed(_GOOD).rows[0]
    driver = _mapped()
    step = 1 if sys.implementation.name != "micropython" else 7
    for bit in range(0, 8 * len(_GOOD), step):
        bad = bytearray(_GOOD)
        bad[bit >> 3] ^= 1 << (bit & 7)
        got = Collected(driver).feed(_GOOD + bytes(bad) + _GOOD)
        got.silence()
        assert got.rows == [good, good], (bit, got.rows, got.errors)
        assert got.errors or bit < 64, "a damaged telegram is an error"


def test_garbage_before_between_and_after_costs_nothing():
    noise = b"\x00\xff\x1b\x1b\x01\x1b\x1b\x1b\x1b\x1b"
    got = Collected(_open()).feed(noise + _GOOD + noise + _GOOD + b"\x1a\x00")
    assert len(got.rows) == 2, got.errors


def test_a_telegram_cut_anywhere_costs_only_itself():
    for cut in range(len(_GOOD)):
        got = Collected(_open()).feed(_GOOD[:cut] + _GOOD)
        assert len(got.rows) == 1, (cut, got.errors)


def test_silence_ends_a_half_telegram():
    got = Collected(_open()).feed(_GOOD[:50]).silence().feed(_GOOD)
    assert len(got.errors) == 1 and len(got.rows) == 1


def test_a_telegram_longer_than_the_buffer_is_refused():
    got = Collected(SML(None, {"size": 64})).feed(_GOOD)
    assert not got.rows and "longer than 64" in got.errors[0]


def test_well_summed_nonsense_is_a_bad_frame():
    for at in range(20, len(_GOOD) - 8):
        bad = bytearray(_GOOD[:-2])
        bad[at] ^= 0x35
        crc = crc16_x25(bad, 0, len(bad)) ^ 0xFFFF
        Collected(_open()).feed(bytes(bad) + bytes((crc & 255, crc >> 8)))


def test_codes_are_written_and_read():
    assert obis_text(obis_bytes("1-0:1.8.0"), 0) == "1-0:1.8.0*255"
    try:
        obis_bytes("1.8.0")
    except ValueError as why:
        assert "1.8.0" in str(why)
    else:
        assert False, "a short code must be refused"


def test_unknown_points_are_refused_when_configured():
    assert [p.name for p in SML(_TABLE, {"points": ["power"]}).points] == ["power"]
    try:
        SML(_TABLE, {"points": ["watts"]})
    except ValueError as why:
        assert "watts" in str(why)
    else:
        assert False, "the map has no such point"


def test_a_mapped_meter_allocates_nothing_while_bytes_come():
    if sys.implementation.name != "micropython":
        return
    import micropython

    driver = _mapped()
    count = [0]

    def emit(reading):
        count[0] += 1

    data = _GOOD
    end = len(data)
    driver.feed(data, 0, end, 0, emit)
    micropython.heap_lock()
    try:
        driver.feed(data, 0, end, 0, emit)
    finally:
        micropython.heap_unlock()
    assert count[0] == 2


def test_times_of_every_choice():
    for time, wanted in (
        (b"\x72\x62\x01\x65\x00\x00\x00\x09", None),  # seconds of operation: no time of day
        (b"\x72\x62\x02\x65\x63\x00\x00\x00", 0x63000000),
        (b"\x72\x62\x03\x73\x65\x63\x00\x00\x00\x53\x00\x3c\x53\x00\x00", 0x63000000),
        (b"\x72\x62\x03\x65\x63\x00\x00\x00", None),  # a local time is a list
        (b"\x72\x62\x02\x65\x00\x00\x00\x00", None),
        (b"\x73\x62\x02\x62\x01\x01", None),
        (b"\x01", None),
    ):
        entry = _entry("1-0:1.8.0*255", 30, -1, b"\x55\x0a\x47\x1d\x53", time=time)
        got = Collected(_open()).feed(telegram((entry,)))
        assert got.rows[0][0][5] == wanted and not got.errors, (time, got.rows, got.errors)
    value = b"\x72\x62\x02\x65\x63\x00\x00\x00"  # SML 1.04: a time as value
    got = Collected(_open()).feed(telegram((_entry("1-0:0.9.1*255", 7, 0, value),)))
    assert got.rows[0][0][1] == 0x63000000


def test_what_is_malformed_inside_a_good_frame_is_a_bad_frame():
    good = _ENERGY
    for entry, why in (
        (good.replace(b"\x77\x07", b"\x77\x87", 1), ""),  # a length that takes the rest in
        (b"\x71" * 12 + b"\x01", "nested"),
        (good[:-2] + b"\x83\x83\x83\x83\x83\x83", "length"),
    ):
        got = Collected(_open()).feed(telegram((entry,)))
        assert not got.rows and got.errors and why in got.errors[0], (entry, got.errors)
    nameless = _entry("1-0:1.8.0*255", 30, -1, b"\x55\x0a\x47\x1d\x53").replace(
        b"\x07\x01\x00\x01\x08\x00\xff", b"\x03ab"
    )
    got = Collected(_open()).feed(telegram((nameless, good)))
    assert got.rows == Collected(_open()).feed(telegram((good,))).rows and not got.errors


def test_a_driver_that_only_listens():
    driver = SML(_TABLE, {})
    assert driver.request(bytearray(8)) == 0 and not driver.waiting
    driver.sent(0)
    driver.give_up(None, 0)
    try:
        SML(None, {"size": 63})
    except ValueError as why:
        assert "size: 63" in str(why)
    else:
        assert False
