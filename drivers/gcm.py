"""AES-128-GCM made of the block cipher that the runtime offers: decryption and tag.

Not for bulk data: GHASH is done bit by bit, about 128 steps for 16 bytes. Imported only when a
meter has a key. Source: NIST SP 800-38D; nonces of 96 bits only, as DLMS uses.
"""

from cryptolib import aes

_POLYNOMIAL = 0xE1 << 120


class GCM:
    """One key. Raises ValueError when it is not 16 bytes."""

    def __init__(self, key):
        if len(key) != 16:
            raise ValueError("key of %d bytes, 16 are needed" % len(key))
        self._cipher = aes(key, 1)  # 1: ECB
        self._h = int.from_bytes(self._cipher.encrypt(bytes(16)), "big")

    def decrypt(self, nonce, text):
        """Return the plain text (or the cipher text of a plain one): counter mode from 2."""
        out = bytearray(len(text))
        for at in range(0, len(text), 16):
            block = self._cipher.encrypt(nonce + (2 + at // 16).to_bytes(4, "big"))
            for i in range(at, min(at + 16, len(text))):
                out[i] = text[i] ^ block[i - at]
        return out

    def tag(self, nonce, extra, text):
        """Return the 16-byte tag of the cipher text and the additional data."""
        state = self._hash(self._hash(0, extra), text)
        lengths = (8 * len(extra)).to_bytes(8, "big") + (8 * len(text)).to_bytes(8, "big")
        state = self._hash(state, lengths)
        first = self._cipher.encrypt(nonce + b"\x00\x00\x00\x01")
        return (state ^ int.from_bytes(first, "big")).to_bytes(16, "big")

    def _hash(self, state, data):
        """Return GHASH going on from state over data, padded with zeros."""
        for at in range(0, len(data), 16):
            block = bytes(data[at : at + 16])
            block += bytes(16 - len(block))
            factor = state ^ int.from_bytes(block, "big")
            shifted = self._h
            state = 0
            for bit in range(127, -1, -1):
                if (factor >> bit) & 1:
                    state ^= shifted
                shifted = (shifted >> 1) ^ _POLYNOMIAL if shifted & 1 else shifted >> 1
        return state
