"""HMAC-SHA-256 (RFC 2104, FIPS 198-1), truncated to 16 bytes, under the gateway's own key.

What a broker must not be able to forge carries such a tag: commands and, when a key is
provisioned, acknowledgements. A shared key rather than a signature, because the collector and
the gateway are the only two parties, 32 bytes fit every provisioning path, and a check costs two
hashes rather than a 3072-bit power; a key stolen from one gateway opens that gateway only.

    tag = Mac(key).tag(b"ack" + b"gw-ecole", message)
"""

import hashlib

from micropython import const

TAG_BYTES = const(16)
KEY_BYTES = const(32)
_BLOCK = const(64)


class Mac:
    """Tags under one key of 32 bytes. Raises ValueError for another length."""

    def __init__(self, key):
        if len(key) != KEY_BYTES:
            raise ValueError("key of %d bytes, %d wanted" % (len(key), KEY_BYTES))
        padded = key + bytes(_BLOCK - KEY_BYTES)
        self._inner = bytes(b ^ 0x36 for b in padded)
        self._outer = bytes(b ^ 0x5C for b in padded)

    def whole(self, context, message):
        """Return the 32 bytes of HMAC-SHA-256 over context, then message."""
        inner = hashlib.sha256(self._inner)
        inner.update(context)
        inner.update(message)
        outer = hashlib.sha256(self._outer)
        outer.update(inner.digest())
        return outer.digest()

    def tag(self, context, message):
        """Return the first 16 bytes of the MAC; context keeps uses and gateways apart."""
        return self.whole(context + b"\x00", message)[:TAG_BYTES]

    def check(self, context, data, start, end):
        """Tell whether data[start:end] ends with its tag; in constant time over the tag."""
        if end - start < TAG_BYTES:
            return False
        view = memoryview(data)
        wanted = self.tag(context, view[start : end - TAG_BYTES])
        wrong = 0
        for i in range(TAG_BYTES):
            wrong |= wanted[i] ^ data[end - TAG_BYTES + i]
        return wrong == 0
