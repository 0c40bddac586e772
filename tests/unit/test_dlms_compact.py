"""Compact arrays become ordinary ones; what is malformed in them is refused (Green Book, 9.5)."""

from drivers.dlms_compact import expand


def _expand(text, most=1000):
    data = bytes([int(byte, 16) for byte in text.split()])
    return " ".join(["%02X" % byte for byte in expand(data, 0, len(data), most)])


def _refuses(text, most=1000):
    try:
        _expand(text, most)
    except ValueError as why:
        return str(why)
    raise AssertionError("accepted: " + text)


def test_the_tag_of_the_description_stands_before_each_value():
    # 9.5: 13 | type | length of the contents | contents
    assert _expand("13 12 04 00 01 00 02") == "01 82 00 02 12 00 01 12 00 02"
    assert _expand("13 11 00") == "01 82 00 00"
    assert _expand("13 02 02 0F 16 04 FE 1E FF 1B") == (
        "01 82 00 02 02 02 0F FE 16 1E 02 02 0F FF 16 1B"
    )
    assert _expand("13 01 00 02 11 04 01 02 03 04") == (
        "01 82 00 02 01 82 00 02 11 01 11 02 01 82 00 02 11 03 11 04"
    )


def test_texts_keep_their_lengths_and_bit_strings_count_bits():
    assert _expand("13 09 06 02 61 62 02 63 64") == "01 82 00 02 09 02 61 62 09 02 63 64"
    assert _expand("13 0A 04 81 02 61 62") == "01 82 00 01 0A 81 02 61 62"
    assert _expand("13 0C 05 82 00 02 61 62") == "01 82 00 01 0C 82 00 02 61 62"
    assert _expand("13 04 06 0B A5 E0 09 FF 80") == "01 82 00 02 04 0B A5 E0 04 09 FF 80"


def test_compact_arrays_within_structures_and_long_structures_are_read():
    assert _expand("02 02 11 05 13 11 02 06 07") == "02 02 11 05 01 82 00 02 11 06 11 07"
    many = 130  # more than a length of one byte tells
    assert _expand("02 81 82" + " 11 05" * many) == "02 82 00 82" + " 11 05" * many
    assert _expand("13 02 81 82" + " 11" * many + " 81 82" + " 05" * many) == (
        "01 82 00 01 02 82 00 82" + " 11 05" * many
    )
    assert _expand("01 82 00 01 11 05") == "01 82 00 01 11 05"


def test_what_is_cut_or_beyond_its_length_is_refused():
    whole = "02 02 13 02 02 09 12 06 02 61 62 01 02 00 11 05"
    for end in range(2, 3 * 16, 3):
        _refuses(whole[: end - 2])
    assert "ends early" in _refuses("13 11 05 01 02")
    assert "within an element" in _refuses("02 02 13 12 03 00 01 00 11 05")
    assert "ends early" in _refuses("13 02") and "length" in _refuses("13 02 81")
    for length in ("80", "83 00 00 01", "FF"):  # 0x80 is no length in A-XDR
        assert "length" in _refuses("0A " + length), length
        assert "length" in _refuses("13 0A 09 " + length + " 61 62 63 64 65 66 67 68"), length


def test_what_has_no_size_or_no_end_is_refused():
    assert "tag 0x13 in" in _refuses("13 13 02 11 01")
    assert "tag 0x0e in" in _refuses("13 0E 01 01")
    assert "empty elements" in _refuses("13 00 02 01 02")
    assert "empty elements" in _refuses("13 02 00 02 01 02")
    assert "too deep" in _refuses("02 01 " * 10 + "11 05")
    assert "too deep" in _refuses("13 " + "02 01 " * 10 + "11 01 05")
    assert "too deep" in _refuses("13 " + "01 00 01 " * 10 + "11 01 05")


def test_a_small_frame_never_becomes_more_than_it_may():
    # 65,535 x 255 empty structures out of a few bytes, and as many nulls
    assert "longer than 1000" in _refuses("13 01 FF FF 02 00 01 01")
    assert "longer than 1000" in _refuses("13 01 FF FF 00 01 01")
    assert "longer than 20" in _refuses("13 09 1A 19" + " 61" * 25, 20)
