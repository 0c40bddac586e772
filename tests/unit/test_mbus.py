"""M-Bus telegrams built from EN 13757, read-outs of a scripted meter, and the search."""

import sys

from drivers.checksums import sum8
from drivers.floats import decimal
from drivers.mbus import MBus
from drivers.mbus_search import Search
from drivers.reading import NO_REPLY
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_ID = b"\x78\x56\x34\x12\xc5\x14\x00\x04"
_RECORDS = (
    b"\x04\x06\xa0\x86\x01\x00"  # 100000 kWh
    b"\x0c\x14\x27\x04\x85\x02"  # 2850427 * 0.01 m3, BCD
    b"\x04\x6d\x17\x2e\xcc\x13"  # 2014-03-12 14:23
    b"\x02\x5a\xe9\xff"  # -2.3 degC
    b"\x05\x2b\x00\x00\x20\x41"  # 10.0 W, float
    b"\x0d\xfd\x0c\x03CBA"  # text, last letter first
)
_TABLE = {
    "protocol": "mbus",
    "points": (
        ("energy", "Wh", 3, "counter", "04 06"),
        ("volume", "m3", -2, "counter", "0C 14"),
        ("flow", "m3/h", -3, "gauge", "02 3B"),
    ),
}


def _long(records, ci=0x72, address=5, head=_ID + b"\x01\x00\x00\x00"):
    body = bytes((0x08, address, ci)) + head + records
    length = len(body)
    return bytes((0x68, length, length, 0x68)) + body + bytes((sum8(body, 0, length), 0x16))


_GOOD = _long(_RECORDS)


def _open():
    return MBus(None, {})


def test_each_record_gives_its_exact_value():
    frame = Collected(_open()).feed(_GOOD).frames[0]
    assert frame["0"][:3] == (100000, 3, "Wh") and frame["1"][:3] == (2850427, -2, "m3")
    assert frame["2"][0] == b"2014-03-12T14:23:00" and frame["3"][:3] == (-23 * 1, -1, "degC")
    assert frame["4"][:3] == (10, 0, "W") and frame["5"][0] == b"ABC"
    assert frame["0"][4] == 1394630580


def test_any_split_gives_the_same_readings():
    for whole, cut in ways_to_cut(_open, _GOOD):
        assert whole == cut and len(whole) == 1


def test_a_flipped_bit_never_gives_a_value_and_never_costs_the_next():
    good = Collected(_open()).feed(_GOOD).rows[0]
    step = 1 if sys.implementation.name != "micropython" else 7
    for bit in range(0, 8 * len(_GOOD), step):
        bad = bytearray(_GOOD)
        bad[bit >> 3] ^= 1 << (bit & 7)
        got = Collected(_open()).feed(bytes(bad)).silence().feed(_GOOD)
        assert got.rows == [good] and got.errors, (bit, got.errors)


def test_a_read_out_of_two_telegrams_toggles_the_frame_count_bit():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver)
    out = bytearray(32)
    assert bytes(out[: driver.request(out)]) == b"\x10\x40\x05\x45\x16" and driver.waiting
    got.feed(b"\xe5")
    assert bytes(out[: driver.request(out)]) == b"\x10\x7b\x05\x80\x16"
    got.feed(_long(b"\x04\x06\x01\x00\x00\x00\x1f"))
    assert not got.rows and not driver.waiting
    assert bytes(out[: driver.request(out)]) == b"\x10\x5b\x05\x60\x16"
    got.feed(_long(b"\x0c\x14\x27\x04\x85\x02"))
    assert [row[1] for row in got.rows[0]] == [1, 2850427, None]
    assert driver.request(out) == 0 and driver.request(out) == 5


def test_the_same_question_is_asked_again_after_silence():
    driver = MBus(_TABLE, {"address": 5})
    out = bytearray(32)
    driver.request(out)
    Collected(driver).feed(b"\xe5")
    first = bytes(out[: driver.request(out)])
    assert bytes(out[: driver.request(out)]) == first


def test_a_secondary_address_is_selected_and_checked():
    driver = MBus(_TABLE, {"secondary": "12345678C5140004"})
    got = Collected(driver)
    out = bytearray(32)
    assert bytes(out[: driver.request(out)]) == (
        b"\x68\x0b\x0b\x68\x73\xfd\x52\x78\x56\x34\x12\xc5\x14\x00\x04\xb3\x16"
    ), out
    got.feed(b"\xe5")
    assert bytes(out[: driver.request(out)])[:3] == b"\x10\x7b\xfd"
    got.feed(_long(_RECORDS, head=b"\x79" + _ID[1:] + b"\x01\x00\x00\x00"))
    assert "another meter" in got.errors[0]


def test_a_collision_is_a_bad_frame_and_giving_up_declares_the_gap():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver)
    driver.request(bytearray(32))
    got.feed(b"\xfd")
    assert got.errors
    driver.give_up(got.emit, NO_REPLY)
    assert [row[4] for row in got.rows[0]] == [NO_REPLY] * 3


def test_the_meters_own_error_is_refused():
    got = Collected(_open()).feed(_long(b"\x03", 0x70, head=b""))
    assert got.errors == ["application error 3"]


def test_malformed_records_refuse_the_telegram():
    for bad in (b"\x04", b"\x04\x06\x00", b"\x84" + b"\x80" * 12, b"\x0d\x06\x20A", b"\x3f"):
        got = Collected(_open()).feed(_long(bad))
        assert not got.rows and len(got.errors) == 1, bad


def test_floats_become_decimals_exactly():
    assert decimal(0x41200000, 4) == (10, 0) and decimal(0xC1280000, 4) == (-105, -1)
    assert decimal(0x4B800001, 4) == (16777218, 0) and decimal(0x7F800000, 4) == (None, 0)
    assert decimal(0x3F000000, 4) == (5, -1) and decimal(0x80000000, 4) == (0, 0)
    assert decimal(0x3DCCCCCD, 4) == (1000000014901161194, -19)  # of 26 digits, the most that fit
    assert decimal(0x7F7FFFFF, 4) == (3402823466385288598, 20) and decimal(1, 4) == (0, -30)
    assert decimal(0x3FF8000000000000, 8) == (15, -1) and decimal(0x7FF << 52, 8) == (None, 0)
    assert decimal(0x3FB999999999999A, 8) == (1000000000000000056, -19)


def test_the_search_finds_every_meter_behind_collisions():
    meters = ("12345678C5140004", "12345679C5140007", "99000001A7320002")
    search = Search()
    out = bytearray(32)
    selected = []
    for _ in range(500):
        length = search.request(out)
        if not length:
            break
        if length == 17:
            mask = "".join("%02X" % out[i] for i in (10, 9, 8, 7))
            selected = [m for m in meters if all(mask[i] in ("F", m[i]) for i in range(8))]
            answer = b"\xe5" * min(len(selected), 1)
        elif len(selected) == 1:
            raw = bytes(int(selected[0][i : i + 2], 16) for i in (6, 4, 2, 0, 8, 10, 12, 14))
            answer = _long(b"", head=raw + b"\x01\x00\x00\x00")
        else:
            answer = b"\x68\x55\x54"
        search.heard(answer, 0, len(answer))
    assert sorted(search.found) == sorted(meters)


def test_two_whole_answers_to_one_selection_are_a_collision():
    search = Search()
    out = bytearray(32)
    search.request(out)
    search.heard(b"\xe5", 0, 1)  # two meters at once may look like one
    search.request(out)
    both = _long(b"") + _long(b"", head=b"\x79" + _ID[1:] + b"\x01\x00\x00\x00")
    assert not search.heard(both, 0, len(both)) and search.found == []
    assert search.mask == "0FFFFFFF"
    for _ in range(10):
        search.request(out)
        search.heard(b"", 0, 0)
    assert search.request(out) == 0 and search.mask == "" and search.collided == []
