"""agent/record.py: the framing that flash, wire and collector share."""

from binascii import crc32

from agent import record
from agent.record import BadRecord, check_record, find_record, pack_record, record_length

# Built by hand from agent/README.md, "The record": EVENT 7 of journal 0x01020304, payload "hi".
_VECTOR = b"\x01\x04\x00\x02\x00\x00\x00\x07\x01\x02\x03\x04hi\x2c\xac\xca\xcc"


def _refused(data, start, end):
    """Return why, "" when it is taken."""
    try:
        check_record(data, start, end)
    except BadRecord as why:
        return str(why)
    return ""


def test_a_record_is_drawn_as_documented():
    out = bytearray(32)
    length = pack_record(out, record.EVENT, 7, 0x01020304, b"-hi-", 1, 3)
    assert bytes(out[:length]) == _VECTOR


def test_a_record_comes_back_as_it_went():
    out = bytearray(5000)
    for size in (0, 1, 255, 256, record.PAYLOAD_MAX):
        payload = bytes([i & 0xFF for i in range(size)])
        length = pack_record(out, record.BLOCK, 0xFFFFFFFF, 0xFFFFFFFE, payload, 0, size, 3)
        assert length == size + record.OVERHEAD == record_length(out, 3, 5000)
        kind, seq, journal_id, start, end = check_record(out, 3, 3 + length)
        assert (kind, seq, journal_id) == (record.BLOCK, 0xFFFFFFFF, 0xFFFFFFFE)
        assert bytes(out[start:end]) == payload


def test_a_payload_that_is_too_long_or_less_than_nothing_is_refused():
    for start, end in ((0, 4001), (1, 0)):
        try:
            pack_record(bytearray(5000), 1, 1, 1, bytes(4001), start, end)
        except ValueError:
            continue
        raise AssertionError("packed")


def test_every_flipped_bit_is_found():
    for i in range(len(_VECTOR)):
        for bit in range(8):
            data = bytearray(_VECTOR)
            data[i] ^= 1 << bit
            assert _refused(data, 0, len(data)), (i, bit)


def test_every_cut_and_every_addition_is_found():
    for end in range(len(_VECTOR)):
        assert _refused(_VECTOR, 0, end)
    assert _refused(_VECTOR + b"\x00", 0, len(_VECTOR) + 1)


def test_erased_flash_is_no_record():
    assert _refused(b"\xff" * 64, 0, 64)
    assert _refused(bytes(64), 0, 64)


def test_a_length_that_was_made_shorter_is_refused_although_its_crc_is_right():
    data = bytearray(_VECTOR[:14] + b"\0\0\0\0" + bytes(4))
    data[-4:] = (crc32(bytes(data[:-4])) & 0xFFFFFFFF).to_bytes(4, "big")
    assert _refused(data, 0, len(data)) == "4 bytes after a record of 18"


def test_a_search_begins_at_the_first_byte():
    out = bytearray(64)
    length = pack_record(out, record.EVENT, 7, 5, b"a", 0, 1)
    end = length + pack_record(out, record.EVENT, 8, 5, b"b", 0, 1, length)
    assert find_record(out, end, 1, 5) == (7, 0, length, 0)
    assert find_record(out, end, 8, 5) == (8, length, end - length, 0)
    assert find_record(out, end, 9, 5) == find_record(out, end, 1, 6) == (0, 0, 0, 0)
    out[0] = 0
    assert find_record(out, end, 1, 5) == (8, length, end - length, 1)
    strayed = b"\0" + bytes(out[length:end])
    assert find_record(strayed, len(strayed), 1, 5) == (8, 1, end - length, 1)


def test_a_search_passes_over_what_the_journal_keeps_for_itself():
    out = bytearray(128)
    at = 0
    for kind in (record.MARK, record.OPEN, record.WEAR):
        at += pack_record(out, kind, 7, 5, b"a", 0, 1, at)
    end = at + pack_record(out, record.SCHEMA, 7, 5, b"b", 0, 1, at)
    assert find_record(out, end, 7, 5) == (7, at, end - at, 0)


def test_kinds_are_never_renumbered():
    sent = (record.BLOCK, record.BOOT, record.LOST, record.EVENT)
    sent += (record.TIME, record.HEALTH, record.SCHEMA)
    assert sent == (1, 2, 3, 4, 5, 6, 7)
    assert " ".join(record.KIND_NAMES) == " block boot lost event time health schema"
    assert (record.MARK, record.OPEN, record.WEAR) == (128, 129, 130)


def test_behind_damage_a_record_of_any_journal_is_found_where_none_is_known():
    out = bytearray(80)
    length = pack_record(out, record.EVENT, 7, 5, b"a", 0, 1, 9)
    for journal_id, wanted in ((5, 9), (0, 9), (6, 80), (1, 80)):
        assert record.next_record(out, 0, 80, journal_id) == wanted
    assert record.next_record(out, 9, 9 + length, 0) == 9
    assert record.next_record(out, 10, 80, 0) == 80


def test_a_record_of_another_format_is_refused_although_its_check_sum_is_right():
    data = bytearray(_VECTOR)
    data[0] = 2
    data[-4:] = (crc32(bytes(data[:-4])) & 0xFFFFFFFF).to_bytes(4, "big")
    assert _refused(data, 0, len(data)) == "record format 2, 1 is known"


def test_what_is_too_much_is_counted_from_where_the_record_begins():
    data = b"....." + _VECTOR + b"-" * 7
    assert _refused(data, 5, len(data)) == "7 bytes after a record of 18"


def test_the_shortest_record_is_found_in_the_last_bytes():
    out = bytearray(record.OVERHEAD + 3)
    pack_record(out, record.EVENT, 7, 5, b"", 0, 0, 3)
    assert record.next_record(out, 0, len(out), 5) == 3
