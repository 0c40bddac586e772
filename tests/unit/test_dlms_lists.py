"""DLMS notifications of every shape: types, dates, push lists, compact arrays, blocks, M-Bus."""

from drivers.dlms import DLMS
from drivers.reading import UNAVAILABLE, decimal_text
from tests.fakes.collector_of_readings import Collected, ways_to_cut
from tests.vectors.frames import CLOSE

_CODE = b"\x09\x06\x01\x00\x01\x08\x00\xff"
_CLOCK = b"\x07\xe6\x01\x18\x01\x12\x3a\x32\xff\x80\x00\x00"


def _told(rows):
    """Return [(code, value as text, unit)] of a reading's rows."""
    told = []
    for code, value, exponent, unit, _, _ in rows:
        text = value
        if isinstance(value, bytes):
            text = value.decode()
        elif value is not None:
            text = decimal_text(value, exponent)
        told.append((code, text, unit))
    return told


def _read(body, clock=b"\x00"):
    got = Collected(DLMS(None, {})).feed(CLOSE["dlms"](_push(body, clock)))
    assert len(got.rows) == 1 and not got.errors, got.errors
    return got.rows[0]


def _push(body, clock=b"\x00"):
    return b"\xe6\xe7\x00\x0f\x40\x00\x00\x00" + clock + body


def _value(item):
    return _told(_read(b"\x02\x02" + _CODE + item))[0][1]


def test_every_type_has_its_value():
    for item, text in (
        (b"\x00", None),
        (b"\x03\x01", "1"),
        (b"\x04\x0b\xa5\xe0", "10100101111"),
        (b"\x05\xff\xff\xff\xfe", "-2"),
        (b"\x06\xff\xff\xff\xfe", "4294967294"),
        (b"\x09\x03abc", "abc"),
        (b"\x0a\x03abc", "abc"),
        (b"\x0c\x03abc", "abc"),
        (b"\x0a\x81\x03abc", "abc"),
        (b"\x0a\x82\x00\x03abc", "abc"),
        (b"\x0d\x42", "42"),
        (b"\x0f\x80", "-128"),
        (b"\x10\x80\x00", "-32768"),
        (b"\x11\xff", "255"),
        (b"\x12\xff\xff", "65535"),
        (b"\x14" + b"\xff" * 8, "-1"),
        (b"\x15" + b"\xff" * 8, "18446744073709551615"),
        (b"\x16\x05", "5"),
        (b"\x17\x41\x28\x00\x00", "10.5"),
        (b"\x17\x7f\xc0\x00\x00", None),
        (b"\x18\xbf\xf8\x00\x00\x00\x00\x00\x00", "-1.5"),
        (b"\x19" + _CLOCK, "2022-01-24T18:58:50"),
        (b"\x09\x0c" + _CLOCK, "2022-01-24T18:58:50"),
        (b"\x1a\x07\xe6\x01\x18\x01", "2022-01-24"),
        (b"\x1b\x12\x3a\x32\xff", "18:58:50"),
        (b"\x1c\xff", "-1"),
        (b"\x1d\xff\xff", "-1"),
        (b"\x1e\xff\xff\xff\xff", "-1"),
        (b"\x1f\xff", "255"),
        (b"\x20\xff\xff", "65535"),
        (b"\x21\xff\xff\xff\xff", "4294967295"),
        (b"\xff", None),
        (b"\x09\x0c123456789012", "123456789012"),  # twelve characters are no date
    ):
        assert _value(item) == text, item
    assert _read(b"\x02\x02" + _CODE + b"\x00")[0][4] == UNAVAILABLE


def test_what_a_date_does_not_say_is_a_dash():
    assert _value(b"\x19\xff\xff\xff\xff\xff\x12\x3a\xff\xff\x80\x00\xff") == "-----T18:58:00"
    assert _value(b"\x19\x07\xe6\x01\xfe\xff\xff\xff\xff\xff\x80\x00\xff") == "2022-01--T-:-:00"


def test_the_time_follows_deviation_and_daylight_saving():
    for tail, utc in (
        (b"\xff\xc4\x00", "deviation -60: an hour ahead of UTC"),
        (b"\x00\x3c\x00", "deviation 60: an hour behind"),
        (b"\x80\x00\x00", "unknown: central Europe's winter"),
        (b"\x80\x00\x80", "unknown, and the meter says summer time"),
        (b"\x80\x00\xff", "unknown, and so is the rest"),
    ):
        time = _read(b"\x02\x02" + _CODE + b"\x11\x05", b"\x0c" + _CLOCK[:9] + tail)[0][5]
        local = 1643050730  # 2022-01-24 18:58:50 were it UTC
        hours = {b"\x00\x3c\x00": -1, b"\x80\x00\x80": 2}.get(tail, 1)
        assert time == local - 3600 * hours, utc


def test_a_scaler_is_used_where_it_comes_and_none_is_invented():
    scaled = b"\x02\x03" + _CODE + b"\x12\x01\x02\x02\x02\x0f\xfe\x16\x1e"
    assert _told(_read(scaled)) == [("1-0:1.8.0*255", "2.58", "Wh")]
    assert _told(_read(b"\x02\x02" + _CODE + b"\x12\x01\x02")) == [("1-0:1.8.0*255", "258", "")]
    kamstrup = b"\x0a\x0eKamstrup_V0001"
    pairs = _CODE + b"\x12\x01\x02" + _CODE.replace(b"\x01\x08", b"\x21\x07") + b"\x12\x00\x1f"
    assert _told(_read(b"\x02\x05" + kamstrup + pairs)) == [
        ("1-0:1.8.0*255", "2580", "Wh"),
        ("1-0:33.7.0*255", "0.31", ""),
    ]
    name = b"\x09\x06\x01\x00\x00\x02\x81\xff\x09\x07KFM_001"
    volts = _CODE.replace(b"\x01\x08", b"\x20\x07") + b"\x06\x00\x00\x09\x12"
    assert _told(_read(b"\x02\x04" + name + volts))[1] == ("1-0:32.7.0*255", "232.2", "V")


def test_values_without_a_code_are_given_by_their_place():
    body = b"\x02\x09\x09\x03ISK" + b"\x06\x00\x00\x01\x75" + b"\x12\x09\x12" * 7
    rows = _told(_read(body))
    assert [row[0] for row in rows] == ["#%d" % i for i in range(1, 10)]
    assert rows[0][1] == "ISK" and rows[1][1] == "373"  # nine of them, and no Kaifa list
    points = (("power", "W", 0, "gauge", "#2", 0), ("voltage", "V", -1, "gauge", "#3", -1))
    driver = DLMS({"protocol": "dlms", "points": points}, {})
    got = Collected(driver).feed(CLOSE["dlms"](_push(body)))
    assert _told(got.rows[0]) == [("#2", "373", "W"), ("#3", "232.2", "V")]
    for bad in ("#0", "#", "#256", "#x"):
        try:
            DLMS({"points": (("power", "W", 0, "gauge", bad, 0),)}, {})
        except ValueError as why:
            assert "place" in str(why)
        else:
            assert False, bad


def _object(cosem_class, code, attribute):
    body = b"\x02\x04\x12" + bytes((0, cosem_class)) + b"\x09\x06" + code
    return body + b"\x0f" + bytes((attribute,)) + b"\x12\x00\x00"


def test_a_push_list_gives_each_value_its_code():
    clock = b"\x00\x00\x01\x00\x00\xff"
    energy = b"\x01\x00\x01\x08\x00\xff"
    power = b"\x01\x00\x01\x07\x00\xff"
    own = _object(40, b"\x00\x08\x19\x09\x00\xff", 2)
    objects = _object(8, clock, 2) + _object(3, energy, 2) + _object(3, energy, 3)
    objects += _object(3, power, 2)
    values = b"\x09\x0c" + _CLOCK + b"\x06\x00\x43\x45\x60" + b"\x02\x02\x0f\x01\x16\x1e"
    values += b"\x12\x0b\x4d"
    wanted = [
        ("0-0:1.0.0*255", "2022-01-24T18:58:50", ""),
        ("1-0:1.8.0*255", "44086720", "Wh"),
        ("1-0:1.7.0*255", "2893", ""),
    ]
    rows = _read(b"\x02\x05\x01\x05" + own + objects + values)
    assert _told(rows) == wanted and rows[1][5] == 1643047130
    assert _told(_read(b"\x02\x05\x01\x04" + objects + values)) == wanted


def test_attribute_descriptors_without_tags_are_read():
    entry = b"\x02\x02\x00\x03\x01\x00\x01\x07\x00\xff\x02\x06\x00\x00\x07\xa4"
    other = b"\x02\x02\x00\x01\x00\x00\x60\x01\x01\xff\x02\x09\x02ab"
    rows = _told(_read(b"\x02\x02\x16\x01\x01\x02" + entry + other))
    assert ("1-0:1.7.0*255", "1956", "") in rows and ("0-0:96.1.1*255", "ab", "") in rows


def test_compact_arrays_are_read_as_if_they_were_none():
    plain = b"\x01\x02"
    content = b""
    for field, value in ((b"\x01", b"\x00\x00\x01\x00"), (b"\x02", b"\x00\x00\x02\x00")):
        code = b"\x06\x01\x00" + field + b"\x08\x00\xff"
        plain += b"\x02\x03\x09" + code + b"\x06" + value + b"\x02\x02\x0f\xff\x16\x1e"
        content += code + value + b"\xff\x1e"
    kind = b"\x02\x03\x09\x06\x02\x02\x0f\x16"
    compact = b"\x13" + kind + bytes((len(content),)) + content
    assert _read(compact) == _read(plain) and len(_read(plain)) == 2
    for cut in range(1, len(compact)):
        got = Collected(DLMS(None, {})).feed(CLOSE["dlms"](_push(compact[:cut])))
        assert not got.rows and got.errors, cut
    long = b"\x13\x00\x05\x01\x02\x03\x04\x05"  # elements of no length
    assert Collected(DLMS(None, {})).feed(CLOSE["dlms"](_push(long))).errors
    nested = b"\x13\x01\x00\x02\x12\x08\x00\x01\x00\x02\x00\x03\x00\x04"  # arrays of two
    assert [row[1] for row in _told(_read(nested))] == ["1", "2", "3", "4"]


_PUSH = _push(b"\x01\x01\x02\x03" + _CODE + b"\x12\x01\x02\x02\x02\x0f\xfe\x16\x1e")


def _blocks(size):
    """Return the frames of _PUSH in general block transfer."""
    text, number, frames = _PUSH[3:], 0, []
    while text:
        number += 1
        part, text = text[:size], text[size:]
        head = bytes((0x40 if text else 0x80, 0, number, 0, 0, len(part)))
        frames.append(
            CLOSE["dlms"]((b"" if number > 1 else b"\xe6\xe7\x00") + b"\xe0" + head + part)
        )
    return frames


def test_blocks_are_put_together_and_a_lost_one_costs_no_more():
    for size in (1, 7, 20, 200):
        frames = _blocks(size)
        got = Collected(DLMS(None, {})).feed(b"".join(frames) * 2)
        assert len(got.rows) == 2 and not got.errors, (size, got.errors)
    frames = _blocks(10)
    got = Collected(DLMS(None, {})).feed(frames[0] + frames[2] + b"".join(frames))
    assert len(got.rows) == 1 and "block 3, expected 2" in got.errors[0]
    got = Collected(DLMS(None, {})).feed(frames[0] + b"".join(frames))
    assert len(got.rows) == 1, got.errors
    got = Collected(DLMS(None, {})).feed(frames[0]).silence().feed(b"".join(frames))
    assert len(got.rows) == 1 and len(got.errors) == 1, got.errors
    for whole, cut in ways_to_cut(lambda: DLMS(None, {}), b"".join(frames)):
        assert whole == cut and len(whole) == 1


def _long_frames(size):
    """Return the M-Bus frames of _PUSH without its LLC header, as Austrian meters push."""
    text, number, frames = _PUSH[3:], 0, []
    while text:
        part, text = text[:size], text[size:]
        ci = number & 15 | (0 if text else 0x10)
        frames.append(CLOSE["mbus"](b"\x53\xff" + bytes((ci, 1, 0x67)) + part))
        number += 1
    return frames


def test_notifications_on_m_bus():
    table = {"protocol": "dlms", "points": (("energy", "Wh", -2, "counter", "1-0:1.8.0"),)}

    def listener():
        return DLMS(table, {"transport": "mbus"})

    for size in (10, 30, 200):
        frames = _long_frames(size)
        got = Collected(listener()).feed(b"".join(frames) * 2)
        assert [row[0][1] for row in got.rows] == [258, 258] and not got.errors, got.errors
        assert len(Collected(DLMS(None, {})).feed(b"".join(frames)).rows) == 1
    frames = _long_frames(10)
    for whole, cut in ways_to_cut(listener, b"".join(frames)):
        assert whole == cut and len(whole) == 1
    got = Collected(listener()).feed(frames[0] + frames[2] + b"".join(frames))
    assert len(got.rows) == 1 and "segment 2, expected 1" in got.errors[0]
    got = Collected(listener()).feed(frames[0]).silence().feed(b"".join(frames))
    assert len(got.rows) == 1 and len(got.errors) == 1
    got = Collected(listener()).feed(CLOSE["mbus"](b"\x08\x05\x72" + bytes(12)))
    assert not got.rows and "not of DLMS" in got.errors[0]
    try:
        DLMS(table, {"transport": "tcp"})
    except ValueError as why:
        assert "transport" in str(why)
    else:
        assert False


def test_a_desk_tells_the_transports_apart():
    hdlc = CLOSE["dlms"](_PUSH)
    flags = CLOSE["mbus"](
        b"\x53\xff\x10\x01\x67" + _PUSH[3:8] + b"\x00" + b"\x01\x05" + b"\x11\x7e" * 5
    )
    for data in (hdlc, b"\x68" + hdlc, b"\x68\x7e" + hdlc[1:], b"".join(_long_frames(20)), flags):
        assert len(Collected(DLMS(None, {})).feed(data).silence().rows) == 1, data
    bare = _push(b"\x01\x02\x02\x02" + _CODE + b"\x12\x7e\x7e\x02\x02" + _CODE + b"\x11\x68")
    got = Collected(DLMS(None, {})).feed(bare).silence()
    assert [row[1] for row in got.rows[0]] == [0x7E7E, 0x68], got.errors


def test_notifications_without_frames_may_follow_each_other():
    body = b"\x01\x02\x02\x02" + _CODE + b"\x12\x7e\x7e\x02\x02" + _CODE + b"\x11\x68"
    for count in (2, 9, 40):
        got = Collected(DLMS(None, {"size": 128})).feed(_push(body) * count).silence()
        assert len(got.rows) == count and not got.errors, (count, got.errors)


def test_a_tag_without_encryption_is_checked_too():
    try:
        from drivers.gcm import GCM
    except ImportError:
        return  # this runtime has no AES
    key, auth, title, counter = (
        bytes(range(16)),
        bytes(16),
        b"KFM\x01\x02\x03\x04\x05",
        b"\0\0\0\x09",
    )
    text = _PUSH[3:]
    tag = GCM(key).tag(title + counter, b"\x10" + auth + text, b"")[:12]
    options = {"key": "".join(["%02x" % byte for byte in key]), "auth_key": "00" * 16}
    for sealed, count in ((text + tag, 1), (text + tag[:-1] + b"\0", 0)):
        part = b"\x10" + counter + sealed
        push = b"\xe6\xe7\x00\xdb\x08" + title + bytes((len(part),)) + part
        got = Collected(DLMS(None, options)).feed(CLOSE["dlms"](push))
        assert len(got.rows) == count, got.errors
    part = b"\x00" + counter + text  # neither: no key is needed
    push = b"\xe6\xe7\x00\xdb\x08" + title + bytes((len(part),)) + part
    assert len(Collected(DLMS(None, {})).feed(CLOSE["dlms"](push)).rows) == 1
    part = b"\xa0" + counter + text
    push = b"\xe6\xe7\x00\xdb\x08" + title + bytes((len(part),)) + part
    assert "V.44" in Collected(DLMS(None, options)).feed(CLOSE["dlms"](push)).errors[0]


_NAME = b"\x09\x07KFM_001"
_NUMBER = b"\x06\x00\x00\x09\x12"  # 2322
_KAIFA = {
    1: ("1-0:1.7.0",),
    9: ("1-0:31.7.0", "1-0:32.7.0"),
    13: ("1-0:31.7.0", "1-0:51.7.0", "1-0:71.7.0", "1-0:32.7.0", "1-0:52.7.0", "1-0:72.7.0"),
}
_HEAD = (
    "1-1:0.2.129",
    "0-0:96.1.0",
    "0-0:96.1.7",
    "1-0:1.7.0",
    "1-0:2.7.0",
    "1-0:3.7.0",
    "1-0:4.7.0",
)
_TOTALS = ("0-0:1.0.0", "1-0:1.8.0", "1-0:2.8.0", "1-0:3.8.0", "1-0:4.8.0")


def test_kaifas_lists_are_known_by_their_length():
    # KFM_001: list 1 is the power; 2 has names, powers, currents and voltages; 3 the totals too
    for count, phases in _KAIFA.items():
        body = bytes((2, count)) + (_NAME * 3 if count > 1 else b"") + _NUMBER * (count - 3)
        codes = phases
        if count == 1:
            body = b"\x02\x01" + _NUMBER
        else:
            codes = _HEAD + phases
        rows = _told(_read(body))
        assert tuple(row[0] for row in rows) == tuple(code + "*255" for code in codes), count
        if count == 1:
            continue
        longer = body.replace(bytes((2, count)), bytes((2, count + 5)))
        rows = _told(_read(longer + b"\x09\x0c" + _CLOCK + _NUMBER * 4))
        codes += _TOTALS
        assert tuple(row[0] for row in rows) == tuple(code + "*255" for code in codes), count
        assert rows[-5][1] == "2022-01-24T18:58:50"
        assert [row[1:] for row in rows[3:7]] == [
            ("2322", unit) for unit in ("W", "W", "var", "var")
        ]
        assert [row[1:] for row in rows[-4:]] == [
            ("2322", unit) for unit in ("Wh", "Wh", "varh", "varh")
        ]
        for code, value, _ in rows[7:-5]:
            current = code[4:6] in ("31", "51", "71")
            assert value == ("2.322" if current else "232.2"), code
    rows = _told(_read(b"\x02\x01\x11\x05"))  # one number that is no Kaifa's: they send 4 bytes
    assert rows == [("#1", "5", "")]


def _coded(group, kind):
    return _CODE[:4] + bytes((group, kind)) + _CODE[6:] + b"\x12\x09\x12"


def test_each_code_of_a_kamstrup_list_has_its_unit():
    # "HAN-NVE interface description": energies count tens, currents hundredths, factors too
    rows = {}
    pairs = b""
    for group, kind, value, unit in (
        (1, 7, "2322", "W"),
        (2, 7, "2322", "W"),
        (21, 7, "2322", "W"),
        (3, 7, "2322", "var"),
        (4, 7, "2322", "var"),
        (31, 7, "23.22", "A"),
        (51, 7, "23.22", "A"),
        (32, 7, "2322", "V"),
        (72, 7, "2322", "V"),
        (13, 7, "23.22", ""),
        (14, 7, "2322", ""),
        (1, 8, "23220", "Wh"),
        (42, 8, "23220", "Wh"),
        (3, 8, "23220", "varh"),
        (5, 8, "2322", ""),
        (1, 6, "2322", ""),
    ):
        pairs += _coded(group, kind)
        rows["1-0:%d.%d.0*255" % (group, kind)] = (value, unit)
    body = bytes((2, 1 + 2 * len(rows))) + b"\x0a\x0eKamstrup_V0001" + pairs
    assert {row[0]: row[1:] for row in _told(_read(body))} == rows


def test_each_code_of_a_swedish_kaifa_list_has_its_unit():
    rows = {}
    pairs = b""
    for group, kind, value, unit in (
        (1, 7, "2322", "W"),
        (2, 8, "2322", "Wh"),
        (3, 7, "2322", "var"),
        (4, 8, "2322", "varh"),
        (51, 7, "2.322", "A"),
        (72, 7, "232.2", "V"),
        (13, 7, "2322", ""),
        (1, 6, "2322", ""),
    ):
        pairs += _coded(group, kind)
        rows["1-0:%d.%d.0*255" % (group, kind)] = (value, unit)
    body = bytes((2, 2 + 2 * len(rows))) + b"\x09\x06\x01\x00\x00\x02\x81\xff" + _NAME + pairs
    told = _told(_read(body))
    assert told[0] == ("1-0:0.2.129*255", "KFM_001", "")
    assert {row[0]: row[1:] for row in told[1:]} == rows


def test_items_that_cannot_be_are_refused():
    for item, why in (
        (b"\x0b\x01", "tag 0x0b"),
        (b"\x0a\x80", "length 0x80"),
        (b"\x0a\x83\x00\x00\x01a", "length 0x83"),
        (b"\x0a\x82\x00", "ends early"),
        (b"\x0a\x05ab", "ends early"),
        (b"\x02\x01" * 10 + b"\x11\x05", "nested deeper"),
        (b"\x02", "ends early"),
    ):
        got = Collected(DLMS(None, {})).feed(CLOSE["dlms"](_push(b"\x02\x02" + _CODE + item)))
        assert not got.rows and why in got.errors[0], (item, got.errors)


def test_a_clock_that_does_not_say_its_season_follows_the_calendar():
    summer = b"\x07\xe6\x07\x18\x07\x12\x3a\x32\xff\x80\x00\xff"  # 2022-07-24 18:58:50
    assert _read(b"\x02\x02" + _CODE + b"\x11\x05", b"\x0c" + summer)[0][5] == 1658681930
    other = DLMS(None, {"utc_offset_min": 0})
    push = _push(b"\x02\x02" + _CODE + b"\x11\x05", b"\x0c" + summer)
    assert Collected(other).feed(CLOSE["dlms"](push)).rows[0][0][5] == 1658685530


def test_a_list_that_only_looks_like_a_push_list_is_read_by_its_codes():
    """Each row: a first item that is no list of objects, before a code and its value."""
    for first in (
        b"\x01\x00",
        b"\x01\x01\x11\x05",
        b"\x01\x01\x02\x02\x12\x00\x03\x09\x06\x01\x00\x01\x08\x00\xff",
        b"\x01\x01\x02\x03\x11\x03\x09\x06\x01\x00\x01\x08\x00\xff\x0f\x02",
        b"\x01\x01\x02\x03\x12\x00\x03\x09\x02ab\x0f\x02",
        b"\x01\x01\x02\x03\x12\x00\x03\x09\x06\x01\x00\x01\x08\x00\xff\x11\x02",
    ):
        rows = _told(_read(b"\x02\x03" + first + _CODE + b"\x12\x00\x07"))
        assert ("1-0:1.8.0*255", "7", "") in rows, (first, rows)
    assert _told(_read(b"\x02\x03\x11\x05\x11\x06" + _CODE)) == [("#1", "5", ""), ("#2", "6", "")]
