"""A claim: what a technician brings to the office about a new gateway, its key sealed.

A JSON file. Anybody may read who the gateway is; the key that it shares with the collector only
the office can open, with seal.key of its authority's folder (host_tools/trust/ca.py). Sealed box:
X25519 with a key made for the occasion, HKDF-SHA256, ChaCha20-Poly1305; the gateway's name and
serial number are authenticated with it, so a key cannot be moved to another gateway.

    data = make(identity, key, public_seal(folder))
    collect(folder, passphrase, [Path("gw-ecole.claim.json")], Path("keys.json"))
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.mac import KEY_BYTES
from host_tools.problems import FAILED, INPUT, Problem
from host_tools.trust import locked_key
from host_tools.trust.key_file import read_keys, write_keys

_INFO = b"eclor claim 1"
_NONCE = bytes(12)  # each box has a key of its own
_RAW = serialization.Encoding.Raw, serialization.PublicFormat.Raw
_NONE = "eclor ca create makes one"


@dataclass(frozen=True)
class Identity:
    """Who a gateway is; nothing here is a secret."""

    gateway: str
    site: str
    board: str
    serial: str  # the chip's own number
    key: str  # fingerprint of its public key
    certificate: str = ""  # SHA-256 of its certificate

    @property
    def reference(self) -> str:
        """Eight letters by which people on the telephone know the same gateway: K7Q2-M4XA."""
        digest = sha256(f"{self.gateway} {self.serial} {self.key}".encode()).digest()
        text = base64.b32encode(digest[:5]).decode()
        return f"{text[:4]}-{text[4:]}"


def make_seal(folder: Path, passphrase: str) -> None:
    """Make seal.key, locked, and seal.pub in an authority's folder."""
    key = X25519PrivateKey.generate()
    locked_key.write_key(folder / "seal.key", key, passphrase)
    (folder / "seal.pub").write_text(key.public_key().public_bytes(*_RAW).hex() + "\n")


def public_seal(path: Path) -> X25519PublicKey:
    """Return the public half of a seal.pub file. A Problem when it is none."""
    try:
        return X25519PublicKey.from_public_bytes(bytes.fromhex(path.read_text().strip()))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", _NONE, code=INPUT) from None
    except ValueError:
        raise Problem(f"{path} is no seal.pub", _NONE, code=INPUT) from None


def make(identity: Identity, key: bytes, office: X25519PublicKey) -> bytes:
    """Return a claim file; key: the gateway's 32 bytes, which only the office can read."""
    own = X25519PrivateKey.generate()
    public = own.public_key().public_bytes(*_RAW)
    box = ChaCha20Poly1305(_box_key(own.exchange(office), public))
    sealed = public + box.encrypt(_NONCE, key, _bound(identity))
    tree = {
        "claim": identity.reference,
        **asdict(identity),
        "sealed": base64.b64encode(sealed).decode(),
    }
    return json.dumps(tree, indent=1, ensure_ascii=False).encode() + b"\n"


def collect(folder: Path, passphrase: str, files: Iterable[Path], keys: Path) -> list[str]:
    """Open claims and add their keys to a file of keys; return the gateways' names.

    All of them or none. A Problem when one is damaged, or sealed for another office.
    """
    seal = locked_key.read_key(folder / "seal.key", passphrase, _NONE)
    assert isinstance(seal, X25519PrivateKey)
    found = dict(_open(path, seal) for path in files)
    known = read_keys(keys) if keys.exists() else {}
    for name, key in found.items():
        before = known.get(name, b"")[:KEY_BYTES]
        if before != key:
            # Settings that came by cable are on trial: the gateway may go back to those before.
            known[name] = key + before
    write_keys(keys, known)
    return list(found)


def _open(path: Path, seal: X25519PrivateKey) -> tuple[str, bytes]:
    try:
        tree: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
        fields = ("gateway", "site", "board", "serial", "key", "certificate")
        identity = Identity(*(str(tree[name]) for name in fields))
        sealed = base64.b64decode(tree["sealed"])
        shared = seal.exchange(X25519PublicKey.from_public_bytes(sealed[:32]))
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give a claim", code=INPUT) from None
    except (ValueError, KeyError, TypeError):
        raise Problem(f"{path} is no claim", "eclor provision writes it", code=INPUT) from None
    box = ChaCha20Poly1305(_box_key(shared, sealed[:32]))
    try:
        return identity.gateway, box.decrypt(_NONCE, sealed[32:], _bound(identity))
    except InvalidTag:
        raise Problem(
            f"{path} is sealed for another office, or was changed",
            "open it where seal.pub came from, or provision again",
            code=FAILED,
        ) from None


def _box_key(shared: bytes, public: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=public, info=_INFO).derive(shared)


def _bound(identity: Identity) -> bytes:
    return f"{identity.gateway}\n{identity.serial}".encode()
