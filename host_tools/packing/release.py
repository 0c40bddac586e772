"""Release keys and signatures: who may say what firmware runs in the field.

Not here: the bundle's bytes (bundle.py), the check on the device (agent/signature.py).
A key is RSA of 3072 bits in an encrypted PEM file; nothing else of it is ever written. The public
half is its modulus, 384 bytes, beside it as NAME.pub.

    make_key(Path("release.pem"), "a long passphrase")
    data = sign(data, read_key(Path("release.pem"), "a long passphrase"))
"""

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from host_tools.packing.bundle import HEAD_BYTES, KEY_BYTES, OFFER_BYTES
from host_tools.problems import FAILED, INPUT, Problem
from host_tools.trust import locked_key
from host_tools.trust.secret_words import check_new

BITS = 3072
EXPONENT = 65537
SALT_BYTES = 32
_SIGNED = HEAD_BYTES + KEY_BYTES
_PADDING = padding.PSS(padding.MGF1(hashes.SHA256()), SALT_BYTES)


def make_key(path: Path, passphrase: str) -> Path:
    """Make a key file that only its owner can read, and NAME.pub; return the latter.

    A Problem when the file is there already, or the passphrase is short.
    """
    check_new(passphrase)  # before the key, which takes its time
    key = rsa.generate_private_key(EXPONENT, BITS)
    locked_key.write_key(path, key, passphrase)
    public = path.with_suffix(".pub")
    public.write_bytes(modulus(key))
    return public


def read_key(path: Path, passphrase: str) -> rsa.RSAPrivateKey:
    """Return the key of a file; a Problem when it is absent, of another kind, or locked."""
    key = locked_key.read_key(path, passphrase, "make one: eclor keys")
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size != BITS:
        raise Problem(f"{path} is no RSA key of {BITS} bits", "make one: eclor keys", code=INPUT)
    return key


def read_public(path: Path) -> bytes:
    """Return the modulus of a NAME.pub file; a Problem when it is none."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) != KEY_BYTES or not data[0] & 0x80:
        raise Problem(f"{path} is no public release key", "eclor keys makes one", code=INPUT)
    return data


def modulus(key: rsa.RSAPrivateKey) -> bytes:
    """Return the public half as a gateway keeps it."""
    return key.public_key().public_numbers().n.to_bytes(KEY_BYTES, "big")


def sign(data: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """Return the bundle with its signature."""
    signature = key.sign(data[:_SIGNED], _PADDING, hashes.SHA256())
    return data[:_SIGNED] + signature + data[OFFER_BYTES:]


def verify(data: bytes, public: bytes) -> None:
    """Raise a Problem unless the bundle is signed by this key."""
    numbers = rsa.RSAPublicNumbers(EXPONENT, int.from_bytes(public, "big"))
    try:
        numbers.public_key().verify(
            data[_SIGNED:OFFER_BYTES], data[:_SIGNED], _PADDING, hashes.SHA256()
        )
    except InvalidSignature:
        raise Problem(
            "the bundle is not signed by this key", "sign it: eclor bundle --key", code=FAILED
        ) from None
