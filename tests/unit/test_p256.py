"""Keys on P-256: RFC 6979's own signatures, the curve's own points, DER as others read it."""

from agent import p256

# RFC 6979, A.2.5
KEY = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
X = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
Y = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
SIGNED = (
    (
        b"sample",
        "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
        "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
    ),
    (
        b"test",
        "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
        "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
    ),
)


def hexa(data):
    return "".join(["%02x" % b for b in data])


def test_the_public_half_is_the_curves():
    assert hexa(p256.public(KEY)) == "04" + X + Y
    one = (1).to_bytes(32, "big")
    assert hexa(p256.public(one))[2:66] == "%064x" % p256._GX


def test_the_lowest_and_the_highest_key_are_opposite_points():
    low, high = (
        p256.public((1).to_bytes(32, "big")),
        p256.public((p256._N - 1).to_bytes(32, "big")),
    )
    assert low[:33] == high[:33]
    assert int.from_bytes(low[33:], "big") + int.from_bytes(high[33:], "big") == p256._P


def test_signatures_are_those_of_the_standard():
    for message, r, s in SIGNED:
        found = hexa(p256.sign(KEY, message))
        assert r in found and s.lstrip("0") in found, message
        assert found.startswith("30") and len(found) // 2 == int(found[2:4], 16) + 2


def test_a_key_has_every_bit_of_its_entropy():
    assert int.from_bytes(p256.make(bytes(64)), "big") == 1
    assert p256.make(b"\xff" * 64) != p256.make(b"\xff" * 63 + b"\xfe")
    assert p256.make(b"\x01" + bytes(63)) != p256.make(bytes(64))
    for wrong in (b"", bytes(63), bytes(65)):
        try:
            p256.make(wrong)
        except ValueError as error:
            assert "64 random bytes" in str(error)
        else:
            raise AssertionError(len(wrong))


def test_a_key_file_is_read_as_it_was_written_and_no_other_is():
    point = p256.public(KEY)
    der = p256.private_der(KEY, point)
    assert p256.key_of(der) == (KEY, point)
    for wrong in (b"", der[:-1], der + b"x", b"\x31" + der[1:], der[:56] + b"\x02" + der[57:]):
        try:
            p256.key_of(wrong)
        except ValueError:
            continue
        raise AssertionError(wrong)


def test_a_long_name_has_a_length_of_its_own():
    point = p256.public(KEY)
    for name in ("g", "g" * 120, "g" * 250):
        der = p256.request(name, KEY, point)
        assert name.encode() in der
        size = {0x81: der[2] + 3, 0x82: (der[2] << 8 | der[3]) + 4}[der[1]]
        assert len(der) == size
