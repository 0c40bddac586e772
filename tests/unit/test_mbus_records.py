"""Every kind of M-Bus record of EN 13757-3: value information, data types, dates, storages."""

from drivers.mbus import MBus
from drivers.reading import GOOD, OVERFLOW, UNAVAILABLE, decimal_text
from tests.fakes.collector_of_readings import Collected
from tests.vectors.frames import CLOSE

_HEADER = b"\x08\x05\x72\x78\x56\x34\x12\xc5\x14\x00\x04\x01\x00\x00\x00"

# (VIF and its extensions, unit, the value 12345 in it): EN 13757-3:2018, tables 10, 12 and 14
_UNITS = (
    ("00", "Wh", "12.345"),
    ("07", "Wh", "123450000"),
    ("08", "J", "12345"),
    ("0F", "J", "123450000000"),
    ("10", "m3", "0.012345"),
    ("17", "m3", "123450"),
    ("18", "kg", "12.345"),
    ("1F", "kg", "123450000"),
    ("20", "s", "12345"),
    ("21", "s", "740700"),
    ("22", "s", "44442000"),
    ("23", "s", "1066608000"),
    ("24", "s", "12345"),
    ("27", "s", "1066608000"),
    ("28", "W", "12.345"),
    ("2F", "W", "123450000"),
    ("30", "J/h", "12345"),
    ("37", "J/h", "123450000000"),
    ("38", "m3/h", "0.012345"),
    ("3F", "m3/h", "123450"),
    ("40", "m3/h", "0.0740700"),
    ("47", "m3/h", "740700"),
    ("48", "m3/h", "0.044442000"),
    ("4F", "m3/h", "444420.00"),
    ("50", "kg/h", "12.345"),
    ("57", "kg/h", "123450000"),
    ("58", "degC", "12.345"),
    ("5B", "degC", "12345"),
    ("5C", "degC", "12.345"),
    ("5F", "degC", "12345"),
    ("60", "K", "12.345"),
    ("63", "K", "12345"),
    ("64", "degC", "12.345"),
    ("67", "degC", "12345"),
    ("68", "bar", "12.345"),
    ("6B", "bar", "12345"),
    ("6E", "", "12345"),  # units for a heat cost allocator
    ("6F", "", "12345"),  # reserved
    ("70", "s", "12345"),
    ("73", "s", "1066608000"),
    ("74", "s", "12345"),
    ("77", "s", "1066608000"),
    ("78", "", "12345"),
    ("79", "", "12345"),
    ("7A", "", "12345"),
    ("7E", "", "12345"),
    ("7F", "", "12345"),
    ("FF 74 20", "", "12345"),  # the manufacturer's, with the extensions
    ("EF 13", "", "12345"),  # a third table that is not defined
    ("FB 00", "Wh", "1234500000"),
    ("FB 01", "Wh", "12345000000"),
    ("FB 02", "varh", "12345000"),
    ("FB 03", "varh", "123450000"),
    ("FB 04", "VAh", "12345000"),
    ("FB 08", "J", "1234500000000"),
    ("FB 0C", "cal", "1234500000"),
    ("FB 0F", "cal", "1234500000000"),
    ("FB 10", "m3", "1234500"),
    ("FB 11", "m3", "12345000"),
    ("FB 14", "var", "12345"),
    ("FB 17", "var", "12345000"),
    ("FB 18", "kg", "1234500000"),
    ("FB 1A", "%", "1234.5"),
    ("FB 1B", "%", "12345"),
    ("FB 20", "ft3", "12345"),
    ("FB 21", "ft3", "1234.5"),
    ("FB 22", "gal", "1234.5"),
    ("FB 24", "gal/min", "12.345"),
    ("FB 26", "gal/h", "12345"),
    ("FB 28", "W", "1234500000"),
    ("FB 2A", "deg", "1234.5"),
    ("FB 2B", "deg", "1234.5"),
    ("FB 2C", "Hz", "12.345"),
    ("FB 2F", "Hz", "12345"),
    ("FB 30", "J/h", "1234500000000"),
    ("FB 34", "VA", "12345"),
    ("FB 58", "degF", "12.345"),
    ("FB 67", "degF", "12345"),
    ("FB 74", "degC", "12.345"),
    ("FB 78", "W", "12.345"),
    ("FB 7F", "W", "123450000"),
    ("FD 00", "currency", "12.345"),
    ("FD 07", "currency", "12345"),
    ("FD 08", "", "12345"),
    ("FD 17", "", "12345"),
    ("FD 1B", "", "12345"),
    ("FD 1C", "Bd", "12345"),
    ("FD 24", "s", "12345"),
    ("FD 27", "s", "1066608000"),
    ("FD 28", "mo", "12345"),
    ("FD 29", "a", "12345"),
    ("FD 2F", "s", "1066608000"),
    ("FD 31", "s", "740700"),
    ("FD 34", "s", "12345"),
    ("FD 38", "mo", "12345"),
    ("FD 39", "a", "12345"),
    ("FD 3A", "", "12345"),
    ("FD 3D", "s", "740700"),
    ("FD 40", "V", "0.000012345"),
    ("FD 4F", "V", "12345000000"),
    ("FD 50", "A", "0.000000012345"),
    ("FD 5F", "A", "12345000"),
    ("FD 60", "", "12345"),
    ("FD 68", "s", "44442000"),
    ("FD 69", "s", "1066608000"),
    ("FD 6A", "mo", "12345"),
    ("FD 6B", "a", "12345"),
    ("FD 6C", "s", "44442000"),
    ("FD 6F", "a", "12345"),
    ("FD 71", "dBm", "12345"),
    ("FD 74", "s", "1066608000"),
    ("FD FD 02", "mo", "12345"),
    # combinable extensions, tables 15 to 17
    ("93 3A", "m3", "12.345"),
    ("93 20", "m3/s", "12.345"),
    ("93 22", "m3/h", "12.345"),
    ("93 28", "m3/pulse", "12.345"),
    ("AB 34", "W/V", "12345"),
    ("AB 38", "W.s/A", "12345"),
    ("93 40", "m3", "12.345"),  # lower limit
    ("93 41", "", "12345"),  # how often it was exceeded
    ("93 49", "", "12345"),
    ("93 52", "s", "44442000"),  # for how long
    ("93 5F", "s", "1066608000"),
    ("93 63", "s", "1066608000"),
    ("93 68", "m3", "12.345"),
    ("93 70", "m3", "0.000012345"),
    ("93 76", "m3", "12.345"),
    ("93 77", "m3", "123.45"),
    ("93 79", "m3", "12.355"),  # 0.01 m3 to be added
    ("93 7B", "m3", "13.345"),
    ("97 78", "m3", "123450.001"),
    ("93 7D", "m3", "12345"),
    ("93 FF 74", "m3", "12.345"),  # the manufacturer's from there on
    ("93 FC 01", "m3", "12.345"),  # at phase L1
    ("93 F0 FD 76", "m3", "0.012345"),
    ("FD C8 FC 02", "V", "1234.5"),
    ("FD D9 70 00", "A", "0.000012345"),
)


def _hex(text):
    return bytes([int(byte, 16) for byte in text.split()])


def _open(*records):
    frame = CLOSE["mbus"](_HEADER + b"".join([_hex(record) for record in records]))
    return Collected(MBus(None, {})).feed(frame)


def _rows(*records):
    """Return the rows of a telegram of these records, each as hexadecimal text."""
    got = _open(*records)
    assert len(got.rows) == 1 and not got.errors, (records, got.errors)
    return got.rows[0]


def _told(record):
    """Return (value as text, unit, quality) of one record."""
    row = _rows(record)[0]
    value = row[1]
    if isinstance(value, bytes):
        value = value.decode()
    elif value is not None:
        value = decimal_text(value, row[2])
    return value, row[3], row[4]


def test_each_code_has_its_unit_and_its_power_of_ten():
    for vib, unit, value in _UNITS:
        codes = vib.split()
        head = ["%02X" % (int(code, 16) | 0x80) for code in codes[:-1]] + codes[-1:]
        assert _told("02 %s 39 30" % " ".join(head)) == (value, unit, GOOD), vib


def test_every_value_information_is_read_or_refused_and_costs_nothing():
    for lead in ("", "FB ", "FD ", "EF ", "FD FD ", "93 ", "FD C8 ", "93 FC "):
        for code in range(0x80):
            if code != 0x7C or lead:  # a unit as text has letters
                rows = _rows("01 %s%02X 05" % (lead, code), "04 13 39 05 00 00")
                assert len(rows) == 2 and rows[1][1:4] == (1337, -3, "m3"), (lead, code)


def test_every_data_field():
    for dif, data, value in (
        ("01", "FF", "-1"),
        ("02", "00 80", "-32768"),
        ("03", "FF FF 7F", "8388607"),
        ("03", "00 00 80", "-8388608"),
        ("04", "FF FF FF FF", "-1"),
        ("06", "FF FF FF FF FF 7F", "140737488355327"),
        ("07", "00 00 00 00 00 00 00 80", "-9223372036854775808"),
        ("05", "00 00 20 41", "10"),
        ("05", "CD CC CC BD", "-0.1000000014901161194"),
        ("05", "00 00 00 00", "0"),
        ("05", "00 00 80 7F", None),
        ("09", "99", "99"),
        ("0A", "34 F2", "-234"),
        ("0B", "56 34 12", "123456"),
        ("0C", "78 56 34 12", "12345678"),
        ("0E", "12 90 78 56 34 12", "123456789012"),
        ("0C", "EE EE 00 00", None),  # an error shown on its display
        ("0D", "C2 34 12", "1234"),
        ("0D", "C9 12 90 78 56 34 12 78 56 34", "345678123456789012"),
        ("0D", "D1 42", "-42"),
        ("0D", "E1 FE", "-2"),
        ("0D", "E8 FF FF FF FF FF FF FF 7F", "9223372036854775807"),
        ("0D", "E9 01 02 03 04 05 06 07 08 09", "090807060504030201"),
        ("0D", "F0 00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E FF",
         "ff0e0d0c0b0a09080706050403020100"),
        ("0D", "03 43 42 41", "ABC"),
        ("0D", "00", ""),
        ("00", "", None),
        ("08", "", None),
    ):  # fmt: skip
        assert _told("%s 7A %s" % (dif, data))[0] == value, (dif, data)
        assert _told("%s 7A %s" % (dif, data))[2] == (UNAVAILABLE if value is None else GOOD)
    for bad in ("0D 7A CA", "0D 7A DA", "0D 7A F7", "0D 7A FF", "0D 7A E2 01", "3F", "04 13 01"):
        assert _open(bad).errors and not _open(bad).rows, bad


def test_flags_and_unsigned_numbers_are_never_negative():
    assert _told("02 FD 17 FF FF")[0] == "65535" and _told("01 FD 1B 82")[0] == "130"
    assert _told("01 93 FC 11 FF")[0] == "0.255" and _told("01 93 3A FF")[0] == "-0.001"


def test_what_a_meter_marks_as_no_value_is_none():
    assert _told("01 93 15 05") == (None, "m3", UNAVAILABLE)
    assert _told("01 93 16 05") == (None, "m3", OVERFLOW)
    assert _told("01 93 18 05") == (None, "m3", UNAVAILABLE)


def test_dates_of_every_type():
    for record, text in (
        ("02 6C CC 13", "2014-03-12"),
        ("02 6C FF FF", None),
        ("04 6D 17 2E CC 13", "2014-03-12T14:23:00"),
        ("04 6D 97 2E CC 13", None),  # invalid, it says
        ("04 6D 17 0E 21 C1", "1997-01-01T14:23:00"),  # two digits of an old meter
        ("04 6D 17 4E CC 13", "2114-03-12T14:23:00"),
        ("06 6D 05 17 2E CC 13 00", "2014-03-12T14:23:05"),
        ("06 6D 05 97 2E CC 13 00", None),
        ("03 6D 05 17 0E", "14:23:05"),
        ("03 6D 3F 3F 1F", None),
        ("06 FD 30 05 17 2E CC 13 00", "2014-03-12T14:23:05"),
        ("02 FD 70 CC 13", "2014-03-12"),
        ("04 AD 6F 17 2E CC 13", "2014-03-12T14:23:00"),  # when an excess ended
        ("02 93 39 CC 13", "2014-03-12"),
        ("0D 6D E4 17 2E CC 13", "2014-03-12T14:23:00"),
    ):
        assert _told(record) == (text, "", GOOD if text else UNAVAILABLE), record


def test_a_telegram_has_the_time_of_its_clock_and_a_storage_its_own():
    winter, summer = 1394630580, 1394626980  # 2014-03-12 14:23 at UTC+1 and at UTC+2
    energy = "04 06 01 00 00 00"
    assert _rows(energy, "04 6D 17 2E CC 13")[0][5] == winter
    assert _rows(energy, "04 6D 17 AE CC 13")[0][5] == summer
    assert _rows(energy, "06 6D 40 17 2E CC 13 00")[0][5] == summer
    assert _rows(energy, "06 6D 05 17 2E CC 13 00")[0][5] == winter + 5
    assert _rows(energy)[0][5] is None
    rows = _rows(
        "04 6D 17 2E CC 13",
        "44 06 01 00 00 00",  # of storage 1, before its date
        "44 6D 17 0F C1 13",
        "84 01 06 01 00 00 00",  # of storage 2, which has none
        "C4 10 06 01 00 00 00",  # of storage 1 of tariff 1
        "54 06 01 00 00 00",
        "84 11 6D 17 0F C1 13",  # of a tariff: not the clock's
        energy,
    )
    first = 1393683780  # 2014-03-01 15:23
    told = [row[5] for row in rows]
    assert told[1] == told[4] == told[5] == first and told[3] is None and told[7] == winter


def test_the_name_of_a_value_is_the_code_of_a_map():
    names = []
    driver = MBus(None, {})
    frame = CLOSE["mbus"](_HEADER + _hex("84 01 06 01 00 00 00 02 FD 17 00 00"))
    driver.feed(frame, 0, len(frame), 0, lambda reading: names.extend(reading.points))
    assert [(point.code, point.name) for point in names] == [("0", "84 01 06"), ("1", "02 FD 17")]


def test_a_unit_in_letters_takes_its_extensions_too():
    assert _told("02 FC 03 48 52 25 74 39 30") == ("123.45", "%RH", GOOD)
    assert _told("02 7C 03 48 52 25 39 30") == ("12345", "%RH", GOOD)


def test_plain_records_are_read_whatever_an_old_signature_says():
    records = b"\x04\x13\x39\x05\x00\x00"
    for config, sealed in (
        (b"\xff\xff", False),
        (b"\x27\xb6", False),
        (b"\x10\x05", True),
        (b"\x00\x05", False),  # not one block is encrypted
        (b"\x10\x02", True),
    ):
        header = _HEADER[:-2] + config
        got = Collected(MBus(None, {})).feed(CLOSE["mbus"](header + records))
        assert bool(got.errors) == sealed and len(got.rows) == (not sealed), config
        got = Collected(MBus(None, {})).feed(CLOSE["mbus"](header + b"\x2f\x2f" + records))
        assert len(got.rows) == 1 and not got.errors, config
