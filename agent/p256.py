"""A gateway's own key: ECDSA on NIST P-256, its public half, a request for a certificate.

Not here: randomness, files, TLS. Used while a gateway is provisioned, never in its daily work; so
it is plain integers and short rather than fast, and takes as long as the key's bits tell: nobody
but the technician beside it can measure that. Sources: SEC 1 v2.0 (4.1.3, C.4), FIPS 186-5,
RFC 6979 (the number k), RFC 2986 and RFC 5480 (the request).

    key = make(os.urandom(64))
    request("gw-ecole", key)        # DER of a PKCS#10 request, signed by the key
"""

from hashlib import sha256

from agent.mac import Mac

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
_GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

_P256 = bytes.fromhex("06082a8648ce3d030107")  # OBJECT IDENTIFIER prime256v1
_EC_KEY = bytes.fromhex("06072a8648ce3d0201")  # id-ecPublicKey
_ECDSA = bytes.fromhex("06082a8648ce3d040302")  # ecdsa-with-SHA256
_NAME = bytes.fromhex("0603550403")  # commonName


def make(entropy):
    """Return a private key of 32 bytes; entropy: 64 random bytes, so that none is likelier."""
    if len(entropy) != 64:
        raise ValueError("64 random bytes are wanted, not %d" % len(entropy))
    return (int.from_bytes(entropy, "big") % (_N - 1) + 1).to_bytes(32, "big")


def public(key):
    """Return the public half: 0x04, x, y; 65 bytes."""
    x, y = _times(int.from_bytes(key, "big"))
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def private_der(key, point):
    """Return key and its public half as an ECPrivateKey in DER, as TLS wants it."""
    return _der(
        0x30,
        _der(0x02, b"\x01"),
        _der(0x04, key),
        _der(0xA0, _P256),
        _der(0xA1, _der(0x03, b"\x00", point)),
    )


def key_of(der):
    """Return (key, public half) of what private_der() made. Raises ValueError for another."""
    if len(der) != 121 or der[:7] != b"\x30\x77\x02\x01\x01\x04\x20" or der[56] != 4:
        raise ValueError("no private key of ours")
    return der[7:39], der[56:]


def request(name, key, point):
    """Return a PKCS#10 request in DER for a certificate of that name, signed by the key."""
    subject = _der(0x30, _der(0x31, _der(0x30, _NAME, _der(0x0C, name.encode()))))
    public_info = _der(0x30, _der(0x30, _EC_KEY, _P256), _der(0x03, b"\x00", point))
    info = _der(0x30, _der(0x02, b"\x00"), subject, public_info, _der(0xA0))
    return _der(0x30, info, _der(0x30, _ECDSA), _der(0x03, b"\x00", sign(key, info)))


def sign(key, message):
    """Return an ECDSA signature over SHA-256 of message in DER; the same one every time."""
    secret = int.from_bytes(key, "big")
    digest = sha256(message).digest()
    number = int.from_bytes(digest, "big")
    for k in _candidates(key, (number % _N).to_bytes(32, "big")):
        r = _times(k)[0] % _N
        s = pow(k, _N - 2, _N) * (number + r * secret) % _N
        if r and s:
            return _der(0x30, _integer(r), _integer(s))


def _candidates(key, digest):
    """Yield the numbers k of RFC 6979, 3.2; the first is good but once in 2**32."""
    k, v = bytes(32), b"\x01" * 32
    for mark in (b"\x00", b"\x01"):
        k = Mac(k).whole(v + mark + key, digest)
        v = Mac(k).whole(b"", v)
    while True:
        v = Mac(k).whole(b"", v)
        number = int.from_bytes(v, "big")
        if 0 < number < _N:
            yield number
        k = Mac(k).whole(v, b"\x00")
        v = Mac(k).whole(b"", v)


def _times(k):
    """Return (x, y) of k times the base point: doubled and added from the highest bit on.

    Jacobian coordinates (x / z**2, y / z**3); the curve's a is -3 (EFD, dbl-2001-b, madd).
    """
    x, y, z = _GX, _GY, 1
    bit = 1
    while bit <= k:
        bit <<= 1
    bit >>= 2
    while bit:
        delta, gamma = z * z % _P, y * y % _P
        beta = x * gamma % _P
        alpha = 3 * (x - delta) * (x + delta) % _P
        z = 2 * y * z % _P
        x = (alpha * alpha - 8 * beta) % _P
        y = (alpha * (4 * beta - x) - 8 * gamma * gamma) % _P
        if k & bit:
            square = z * z % _P
            h = (_GX * square - x) % _P
            r = (_GY * z * square - y) % _P
            if not h:  # the sum of opposite points is the infinite one: k was a multiple of n
                raise ValueError("no key")
            cube = h * h % _P
            v = x * cube % _P
            cube = cube * h % _P
            x = (r * r - cube - 2 * v) % _P
            y = (r * (v - x) - y * cube) % _P
            z = z * h % _P
        bit >>= 1
    inverse = pow(z, _P - 2, _P)
    square = inverse * inverse % _P
    return x * square % _P, y * square * inverse % _P


def _integer(number):
    data = number.to_bytes(32, "big").lstrip(b"\x00")
    return _der(0x02, b"\x00" if data[0] & 0x80 else b"", data)


def _der(tag, *parts):
    """Return tag, length and content (ITU-T X.690, 8.1)."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        head = bytes((tag, length))
    elif length < 0x100:
        head = bytes((tag, 0x81, length))
    else:
        head = bytes((tag, 0x82, length >> 8, length & 0xFF))
    return head + content
