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


def _refused(options, table=None):
    try:
        MBus(table, options)
    except ValueError as why:
        return str(why)
    raise AssertionError("accepted: %s" % options)


def test_addresses_that_cannot_be_are_refused():
    assert "address: 251" in _refused({"address": 251})
    assert "which meter" in _refused({}, _TABLE)
    for text in ("1234", "1234567G", "12345678C514000", "12345678C514000G", "12345678C51400041"):
        assert "8 or 16 hexadecimal" in _refused({"secondary": text}), text


def test_the_eight_digits_of_a_meter_are_enough_to_select_it():
    driver = MBus(_TABLE, {"secondary": "1234567F"})
    got = Collected(driver)
    out = bytearray(32)
    assert driver.request(out) == 17
    assert bytes(out[7:15]) == b"\x7f\x56\x34\x12\xff\xff\xff\xff"  # F is any digit
    driver.sent(0)
    got.feed(b"\xe5")
    driver.request(out)
    got.feed(_GOOD)
    assert got.rows[0][0][1] == 100000 and not got.errors


def test_the_echo_of_a_selection_is_no_answer():
    driver = MBus(_TABLE, {"secondary": "12345678C5140004"})
    got = Collected(driver)
    out = bytearray(32)
    length = driver.request(out)
    got.feed(bytes(out[:length]) + b"\xe5")
    assert not got.errors and not driver.waiting
    assert bytes(out[: driver.request(out)])[:2] == b"\x10\x7b"


def test_what_nobody_asked_for_or_another_answers_is_a_bad_frame():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver).feed(_GOOD)
    assert "nobody asked" in got.errors[0]
    out = bytearray(32)
    driver.request(out)
    got.feed(_GOOD)  # before the acknowledge
    assert "nobody asked" in got.errors[1] and driver.waiting
    got.feed(b"\xe5\xe5")  # a second one changes nothing
    driver.request(out)
    got.feed(b"\xe5")  # nor one in place of the answer
    assert driver.waiting
    got.feed(_long(_RECORDS, address=6))
    assert "answer of 6, asked 5" in got.errors[2] and not got.rows
    got.feed(_GOOD)
    assert len(got.rows) == 1 and len(got.errors) == 3


def test_a_telegram_that_makes_no_sense_is_asked_for_again():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver)
    out = bytearray(32)
    driver.request(out)
    got.feed(b"\xe5")
    first = bytes(out[: driver.request(out)])
    got.feed(_long(b"\x04\x06\x00"))  # its record is cut
    assert driver.waiting and bytes(out[: driver.request(out)]) == first
    got.feed(_GOOD)
    assert len(got.rows) == 1 and len(got.errors) == 1


def test_a_read_out_that_breaks_off_keeps_what_it_got():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver)
    out = bytearray(32)
    driver.request(out)
    got.feed(b"\xe5")
    driver.request(out)
    got.feed(_long(b"\x04\x06\x01\x00\x00\x00\x1f"))
    driver.request(out)
    driver.give_up(got.emit, NO_REPLY)
    assert [(row[1], row[4]) for row in got.rows[0]] == [
        (1, 0),
        (None, NO_REPLY),
        (None, NO_REPLY),
    ]
    assert driver.request(out) == 5 and out[1] == 0x40  # the next turn begins anew


def test_a_meter_that_never_ends_is_left_after_32_telegrams():
    driver = MBus(_TABLE, {"address": 5})
    got = Collected(driver)
    out = bytearray(32)
    driver.request(out)
    got.feed(b"\xe5")
    for count in range(32):
        assert not got.rows and driver.request(out), count
        got.feed(_long(b"\x04\x06\x01\x00\x00\x00\x1f"))
    assert len(got.rows) == 1 and driver.request(out) == 0


def test_headers_of_every_kind():
    # CI 7A: four bytes of header; 78: none (EN 13757-3, table 3); at a desk any meter's
    short = Collected(_open()).feed(_long(_RECORDS, 0x7A, head=b"\x01\x00\x00\x00"))
    none = Collected(_open()).feed(_long(_RECORDS, 0x78, head=b""))
    assert short.rows == none.rows == Collected(_open()).feed(_GOOD).rows
    for data, why in (
        (_long(b"", head=_ID[:5]), "header of 5 bytes, 12"),
        (_long(b"", 0x7A, head=b"\x01\x00"), "header of 2 bytes, 4"),
        (_long(b"", 0x73, head=bytes(15)), "fixed data of 15 bytes, 16"),
        (_long(b"", 0x51, head=b"\x01"), "CI 0x51"),
        (_long(b"", 0x70, head=b""), "application error 0"),
        (_long(b"", 0x7A, head=b"\x01\x00\x10\x05"), "encrypted telegram, mode 5"),
    ):
        got = Collected(_open()).feed(data)
        assert not got.rows and why in got.errors[0], (why, got.errors)


def test_fixed_data_has_two_counters():
    # "The M-Bus: A Documentation", rev. 4.8, 6.2: 1 l now, 135 l at the last key date
    data = bytes.fromhex("68131368080573785634120A00E97E01000000350100003C16")
    rows = Collected(_open()).feed(data).rows[0]
    assert [row[:4] for row in rows] == [("0", 1, 0, "l"), ("1", 135, 0, "")]
    table = {"points": (("volume", "m3", -3, "counter", "fixed 1"),)}
    driver = MBus(table, {"address": 5})
    got = Collected(driver)
    driver.request(bytearray(32))
    got.feed(b"\xe5")
    driver.request(bytearray(32))
    got.feed(data)
    assert [row[1] for row in got.rows[0]] == [1]
    # the same in binary (status bit 7), of a heat meter: a tenth of a kWh is no unit of it
    body = b"\x08\x05\x73\x78\x56\x34\x12\x0a\x80\x05\x38" + b"\x2c\x01\x00\x00\xff\xff\xff\xff"
    data = bytes((0x68, 19, 19, 0x68)) + body + bytes((sum8(body, 0, 19), 0x16))
    rows = Collected(_open()).feed(data).rows[0]
    assert [row[1:4] for row in rows] == [(300, 0, "kWh"), (-1, -3, "degC")]


def test_codes_that_are_no_record_are_refused():
    for code in ("04 1Z", "104", "fixed 3"):
        table = {"points": (("volume", "m3", -3, "counter", code),)}
        assert "is no record" in _refused({"address": 5}, table), code


def test_silence_and_damage_on_the_line_cost_no_later_frame():
    got = Collected(_open()).feed(_GOOD[:9]).silence()
    assert "silence after 9 bytes" in got.errors[0] and not got.silence().errors[1:]
    short = b"\x10\x5b\x05\x60\x16"  # a master's request: nothing to a meter's reader
    assert not Collected(_open()).feed(short).errors
    for bad in (
        b"\x68\x03\x04\x68",
        b"\x68\x02\x02\x68",
        b"\x10\x5b\x05\x60\x17",
        b"\x10\x5b\x05\x61\x16",
    ):
        got = Collected(_open()).feed(bad + _GOOD).silence()
        assert len(got.rows) == 1 and got.errors, bad


def test_an_answer_that_was_damaged_narrows_the_search():
    search = Search()
    out = bytearray(32)
    search.request(out)
    search.heard(b"\xe5", 0, 1)
    search.request(out)
    bad = _long(b"")[:-2] + b"\x00\x16"
    assert not search.heard(bad, 0, len(bad)) and search.mask == "0FFFFFFF"


def test_meters_with_the_same_identification_are_named():
    search = Search()
    out = bytearray(32)
    asked = 0
    while search.request(out):
        asked += 1
        is_theirs = all(search.mask[i] in ("F", "12345678"[i]) for i in range(8))
        search.heard(b"\x68\x55", 0, 2 if is_theirs else 0)
    assert search.collided == ["12345678"] and search.found == [] and asked == 81
