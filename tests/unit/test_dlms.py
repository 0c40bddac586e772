"""DLMS pushes built from the Green Book: lists, segments, stuffing, encryption."""

from drivers.checksums import crc16_x25
from drivers.dlms import DLMS
from tests.fakes.collector_of_readings import Collected, ways_to_cut

_CLOCK = b"\x07\xe6\x01\x18\x01\x12\x3a\x32\xff\x80\x00\x00"
_PAIR = b"\x02\x03\x09\x06\x01\x00\x01\x07\x00\xff\x06\x00\x00\x01\x18\x02\x02\x0f\xff\x16\x1b"
_BODY = b"\x01\x02" + _PAIR + _PAIR.replace(b"\x01\x07", b"\x02\x07")
_PUSH = b"\xe6\xe7\x00\x0f\x40\x00\x00\x00\x0c" + _CLOCK + _BODY
_TABLE = {"protocol": "dlms", "points": (("power", "W", 0, "gauge", "1-0:1.7.0*255"),)}


def _fcs(data):
    crc = crc16_x25(data, 0, len(data)) ^ 0xFFFF
    return data + bytes((crc & 255, crc >> 8))


def _framed(information, more=0):
    size = len(information) + 9
    head = bytes((0xA0 | more | size >> 8, size & 255)) + b"\x01\x21\x13"
    return b"\x7e" + _fcs(_fcs(head) + information) + b"\x7e"


_GOOD = _framed(_PUSH)


def _open():
    return DLMS(None, {})


def test_a_list_gives_codes_scalers_units_and_time():
    rows = Collected(_open()).feed(_GOOD).rows[0]
    assert [row[:4] for row in rows] == [
        ("1-0:1.7.0*255", 280, -1, "W"),
        ("1-0:2.7.0*255", 280, -1, "W"),
    ]
    assert rows[0][5] == 1643047130


def test_any_split_gives_the_same_readings():
    for whole, cut in ways_to_cut(_open, _GOOD):
        assert whole == cut and len(whole) == 1


def test_a_flipped_bit_never_gives_a_value_and_never_costs_the_next():
    good = Collected(DLMS(_TABLE, {})).feed(_GOOD).rows[0]
    for bit in range(0, 8 * len(_GOOD), 3):
        bad = bytearray(_GOOD)
        bad[bit >> 3] ^= 1 << (bit & 7)
        driver = DLMS(_TABLE, {})
        got = Collected(driver).feed(bytes(bad)).silence().feed(_GOOD)
        assert len(got.rows) >= 1 and all(row == good for row in got.rows), (bit, got.errors)


def test_segments_are_put_together():
    for cut in range(1, len(_PUSH)):
        got = Collected(_open()).feed(_framed(_PUSH[:cut], 8) + _framed(_PUSH[cut:]))
        assert len(got.rows) == 1, (cut, got.errors)


def test_stuffed_frames_are_read_too():
    inner = _framed(_PUSH.replace(b"\x01\x18", b"\x7e\x7d"))[1:-1]
    stuffed = b""
    for byte in inner:
        stuffed += bytes((0x7D, byte ^ 0x20)) if byte in (0x7D, 0x7E) else bytes((byte,))
    got = Collected(_open()).feed(b"\x7e" + stuffed + b"\x7e")
    assert got.frames[0]["1-0:1.7.0*255"][0] == 0x7E7D, got.errors


def test_a_notification_without_frame_is_read_at_a_desk_only():
    assert len(Collected(_open()).feed(_PUSH).silence().rows) == 1
    assert not Collected(DLMS(_TABLE, {})).feed(_PUSH).silence().rows


def test_nonsense_in_a_good_frame_is_a_bad_frame():
    for cut in range(3, len(_PUSH)):
        got = Collected(_open()).feed(_framed(_PUSH[:cut]))
        assert not got.rows and got.errors, cut


def test_encrypted_pushes_need_the_key_and_are_checked():
    try:
        from drivers.gcm import GCM
    except ImportError:
        return  # this runtime has no AES
    key = bytes(range(16))
    auth = bytes(range(16, 32))
    title = b"KFM\x01\x02\x03\x04\x05"
    counter = b"\x00\x00\x00\x09"
    gcm = GCM(key)
    text = bytes(gcm.decrypt(title + counter, _PUSH[3:]))
    tag = gcm.tag(title + counter, b"\x30" + auth, text)[:12]
    sealed = b"\x30" + counter + text + tag
    push = b"\xe6\xe7\x00\xdb\x08" + title + b"\x81" + bytes((len(sealed),)) + sealed
    names = "".join("%02X" % byte for byte in key), "".join("%02X" % byte for byte in auth)
    got = Collected(DLMS(None, {"key": names[0], "auth_key": names[1]})).feed(_framed(push))
    assert got.frames[0]["1-0:1.7.0*255"][0] == 280, got.errors
    got = Collected(_open()).feed(_framed(push))
    assert "needs its key" in got.errors[0]
    got = Collected(DLMS(None, {"key": names[0], "auth_key": names[0]})).feed(_framed(push))
    assert not got.rows and "tag" in got.errors[0]


def test_gcm_gives_the_published_vector():
    try:
        from drivers.gcm import GCM
    except ImportError:
        return
    # NIST GCM test case 2: key 0, nonce 0, one block of zeros
    gcm = GCM(bytes(16))
    text = bytes(gcm.decrypt(bytes(12), bytes(16)))
    assert text == b"\x03\x88\xda\xce\x60\xb6\xa3\x92\xf3\x28\xc2\xb9\x71\xb2\xfe\x78"
    tag = b"\xab\x6e\x47\xd4\x2c\xec\x13\xbd\xf5\x3a\x67\xb2\x12\x57\xbd\xdf"
    assert gcm.tag(bytes(12), b"", text) == tag


def _refused(options, table=None):
    try:
        DLMS(table, options)
    except ValueError as why:
        return str(why)
    raise AssertionError("accepted: %s" % options)


def test_options_that_cannot_be_are_refused():
    for text in ("12", "zz" * 16, "00" * 17):
        assert "32 hexadecimal digits" in _refused({"key": text}), text
    assert "size: 63" in _refused({"size": 63})
    assert "transport: x" in _refused({"transport": "x"})


def test_a_driver_that_only_listens_asks_nothing():
    driver = DLMS(_TABLE, {})
    assert driver.request(bytearray(8)) == 0 and not driver.waiting
    got = Collected(driver)
    got.feed(_GOOD[:40])
    driver.sent(0)
    driver.give_up(got.emit, 0)
    assert len(got.feed(_GOOD[40:]).rows) == 1  # neither costs the frame that is coming


def _ciphered(title=b"KFM\x01\x02\x03\x04\x05", part=b"\x20\x00\x00\x00\x09" + bytes(20)):
    body = b"\xdb" + bytes((len(title),)) + title
    return _framed(b"\xe6\xe7\x00" + body + bytes((len(part),)) + part)


def test_an_envelope_that_cannot_be_is_a_bad_frame():
    for data, why in (
        (_ciphered(title=b"KFM"), "system title of 3"),
        (_ciphered(part=b"\x20\x00"), "cipher text of 2"),
        (_ciphered(part=b"\x10\x00\x00\x00\x09" + bytes(8)), "with its tag"),
        (_framed(b"\xe6\xe7\x00\xdb"), "octets end early"),
        (_framed(b"\xe6\xe7\x00\xdb\x88" + bytes(9)), "octets end early"),
        (_framed(b"\xe6\xe7\x00\xdb\x82\x01"), "octets end early"),
        (_framed(b"\xe6\xe7\x00"), "no data-notification"),
        (_framed(b"\xe6\xe7\x00\x10" + _PUSH[4:]), "no data-notification"),
    ):
        got = Collected(_open()).feed(data)
        assert not got.rows and why in got.errors[0], (why, got.errors)


def test_lengths_of_two_bytes_are_read():
    title = b"\x81\x08KFM\x01\x02\x03\x04\x05"
    part = b"\x00\x00\x00\x00\x09" + _PUSH[3:]
    push = b"\xe6\xe7\x00\xdb" + title + b"\x82" + bytes((0, len(part))) + part
    assert len(Collected(_open()).feed(_framed(push)).rows) == 1


def test_a_notification_longer_than_the_buffer_is_refused_and_the_next_one_read():
    body = b"\x01\x0a" + _PAIR * 10
    push = _PUSH[:21] + body
    driver = DLMS(_TABLE, {"size": 128})
    got = Collected(driver).feed(_framed(push[:100], 8) + _framed(push[100:]) + _GOOD)
    assert len(got.rows) == 1 and "longer than 128" in got.errors[0], got.errors


def test_silence_within_a_frame_tells_of_the_cut():
    for driver in (_open(), DLMS(_TABLE, {})):
        got = Collected(driver).feed(_GOOD[:30]).silence()
        assert not got.rows and "silence" in got.errors[0]
    got = Collected(_open()).feed(b"\x01\x02\x03").silence()
    assert not got.rows and "that are no frame" in got.errors[0]


def test_frames_behind_a_damaged_length_are_read_at_the_silence():
    bad = bytearray(_GOOD)
    bad[2] = 0xFF  # it takes the next two frames in, one of them damaged
    other = bytearray(_GOOD)
    other[-3] ^= 1
    got = Collected(DLMS(_TABLE, {})).feed(bytes(bad) + bytes(other) + _GOOD).silence()
    assert len(got.rows) == 1 and got.errors, got.errors
