"""HMAC-SHA-256 against RFC 4231."""

from agent.mac import Mac


def test_rfc_4231_test_case_with_a_padded_key():
    # Case 2 has the key "Jefe"; HMAC pads keys with zeros, so its 32-byte form gives the same.
    key = b"Jefe" + bytes(28)
    digest = Mac(key).whole(b"what do ya want ", b"for nothing?")
    assert "".join("%02x" % b for b in digest) == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )


def test_every_flipped_bit_is_refused():
    mac = Mac(bytes(range(32)))
    message = b"hello"
    good = message + mac.tag(b"use", message)
    assert mac.check(b"use", good, 0, len(good))
    assert not mac.check(b"used", good, 0, len(good))
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 0x80 >> bit % 8
        assert not mac.check(b"use", bad, 0, len(bad))
    assert not mac.check(b"use", good, 0, 15)


def test_a_key_of_another_length_is_refused():
    try:
        Mac(b"short")
    except ValueError:
        return
    raise AssertionError("took it")
