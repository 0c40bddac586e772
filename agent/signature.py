"""RSASSA-PSS over SHA-256 with a key of 3072 bits: checked, never made (RFC 8017, 8.1.2, 9.1.2).

Not here: which key is trusted (agent/update.py). MGF1 is of SHA-256, the salt has 32 bytes, the
exponent is 65537: what host_tools/packing/release.py makes with the `cryptography` package. One
check is one three-argument pow: about 0.3 s on an RP2040.
"""

from hashlib import sha256

from micropython import const

KEY_BYTES = const(384)
_HASH = const(32)
_DB = const(351)  # KEY_BYTES - _HASH - 1
_ZEROS = const(318)  # _DB - _HASH - 1
_EXPONENT = const(65537)


def is_signed(key, data, signature):
    """Tell whether signature is that of data under key, the modulus; both of 384 bytes."""
    if len(key) != KEY_BYTES or len(signature) != KEY_BYTES or not key[0] & 0x80:
        return False
    modulus = int.from_bytes(key, "big")
    number = int.from_bytes(signature, "big")
    if number >= modulus:
        return False
    message = pow(number, _EXPONENT, modulus).to_bytes(KEY_BYTES, "big")
    digest = message[_DB : _DB + _HASH]
    if message[0] & 0x80 or message[KEY_BYTES - 1] != 0xBC:
        return False
    block = bytearray(message[:_DB])
    at = 0
    while at < _DB:
        mask = sha256(digest + (at // _HASH).to_bytes(4, "big")).digest()
        for i in range(min(_HASH, _DB - at)):
            block[at + i] ^= mask[i]
        at += _HASH
    block[0] &= 0x7F
    if bytes(block[: _ZEROS + 1]) != bytes(_ZEROS) + b"\x01":
        return False
    inner = sha256(bytes(8))
    inner.update(sha256(data).digest())
    inner.update(bytes(block[_ZEROS + 1 :]))
    return inner.digest() == digest
