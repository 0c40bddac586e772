"""Registers become exact integers: word orders, marks for "no value", IEEE 754, packed digits."""

from struct import pack

from drivers.modbus_values import (
    B,
    D,
    F,
    S,
    U,
    Z,
    divided,
    integer,
    is_absent,
    scaled,
    text,
    type_of,
)


def test_the_order_of_words_and_bytes():
    for order, data in (
        ("ABCD", b"\x01\x02\x03\x04"),
        ("CDAB", b"\x03\x04\x01\x02"),
        ("BADC", b"\x02\x01\x04\x03"),
        ("DCBA", b"\x04\x03\x02\x01"),
    ):
        assert integer(b"." + data, 1, 4, order) == 0x01020304, order
    assert integer(b"\x01\x02", 0, 2, "ABCD") == 0x0102
    assert integer(b"\x05\x06\x03\x04\x01\x02", 0, 6, "CDAB") == 0x010203040506
    assert integer(bytes(range(8, 0, -1)), 0, 8, "DCBA") == 0x0102030405060708


def test_texts_lose_their_padding_and_their_swapped_bytes():
    assert text(b"..SDM630  \x00\x00", 2, 10, "ABCD") == b"SDM630"
    assert text(b"DS6M03\x00 ", 0, 8, "BADC") == b"SDM630"
    assert text(b"SDM630", 0, 6, "CDAB") == b"SDM630"  # words of a text are never turned


def test_types_say_their_class_and_size():
    for name, wanted in (
        ("uint16", (U, 2, 0)),
        ("int64", (S, 8, 0)),
        ("float64", (F, 8, 0)),
        ("bcd32", (D, 4, 0)),
        ("bits16", (B, 2, 0)),
        ("acc32", (Z, 4, 0)),
        ("text:60", (5, 120, 60)),
        ("bit:15", (7, 2, 15)),
        ("coil", (6, 0, 0)),
    ):
        assert type_of(name) == wanted, name
    for name in ("uint8", "text", "text:0", "text:61", "bit:16", "bit:x", "coil:1", "", "int16 "):
        try:
            type_of(name)
        except ValueError as why:
            assert "is no register type" in str(why)
        else:
            assert False, name


def test_each_class_has_its_marks_for_no_value():
    for kind, size, absent, present in (
        (U, 2, (0xFFFF,), (0xFFFE, 0, 0x8000)),
        (U, 4, (0xFFFFFFFF,), (0xFFFF,)),
        (S, 2, (0x7FFF, 0x8000), (0xFFFF, 0x7FFE, 0x8001)),
        (F, 4, (0x7FC00000, 0xFF800000, 0x7F800000), (0x7F7FFFFF, 0)),
        (F, 8, (0x7FF8000000000000, 0xFFF0000000000000), (0x7FEFFFFFFFFFFFFF,)),
        (D, 2, (0x000A, 0xF000, 0x1A11), (0x9999, 0)),
        (B, 2, (), (0xFFFF, 0)),
        (Z, 4, (0, 0xFFFFFFFF), (1, 0xFFFF)),
    ):
        for raw in absent:
            assert is_absent(kind, size, raw), (kind, raw)
        for raw in present:
            assert not is_absent(kind, size, raw), (kind, raw)


def test_numbers_are_scaled_exactly_and_rounded_half_to_even():
    assert scaled(S, 2, 0xFFFE, 0) == -2 and scaled(S, 2, 0x7FFE, 1) == 327660
    assert scaled(U, 2, 0xFFFE, 0) == 65534
    assert [scaled(U, 2, raw, -1) for raw in (14, 15, 25, 26, 35)] == [1, 2, 2, 3, 4]
    assert [scaled(S, 2, 0x10000 - raw, -1) for raw in (14, 15, 25, 26)] == [-1, -2, -2, -3]
    assert scaled(D, 4, 0x12345678, 0) == 12345678 and scaled(D, 2, 0x0905, 1) == 9050
    assert divided(7, 2) == 4 and divided(5, 2) == 2 and divided(-5, 2) == -2


def _of(kind, number):
    return int.from_bytes(pack(">" + kind, number), "big")


def test_floats_of_both_sizes_are_exact():
    for number, shift, wanted in (
        (231.5, 1, 2315),
        (-231.5, 1, -2315),
        (0.0, 3, 0),
        (-0.0, 3, 0),
        (16777216.0, 0, 16777216),
        (0.5, 0, 0),
        (1.5, 0, 2),
        (2.5, 0, 2),
        (1e-40, 3, 0),
        (12345.0, -2, 123),
        (1.0, 6, 1000000),
    ):
        assert scaled(F, 4, _of("f", number), shift) == wanted, number
        assert scaled(F, 8, _of("d", number), shift) == wanted, number
    # a tenth is none in binary: what the register holds is rounded, not the decimal behind it
    assert scaled(F, 4, 0x3DCCCCCD, 10) == 1000000015 and scaled(F, 4, 0x3DCCCCCD, 9) == 100000001
    assert scaled(F, 8, 0x3FB999999999999A, 18) == 100000000000000006
    assert scaled(F, 4, 0x00000001, 50) == 140130  # the least there is: 1.4013e-45
    assert scaled(F, 8, 1, 329) == 494066  # 4.94066e-324
    assert scaled(F, 4, 0x7F7FFFFF, 0) == (2**24 - 1) << 104
    assert scaled(F, 8, 0x4340000000000001, 0) == 2**53 + 2
