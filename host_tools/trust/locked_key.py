"""Private keys in files that a passphrase locks: PEM of PKCS #8, for their owner alone.

write_key(Path("release.pem"), key, "a long passphrase")
read_key(Path("release.pem"), "a long passphrase", "eclor keys makes one")
"""

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from host_tools.problems import INPUT, Problem
from host_tools.trust.secret_words import check_new, write_secret


def write_key(path: Path, key: Any, passphrase: str) -> None:
    """Write a new file. A Problem when it is there already, or the passphrase is short."""
    check_new(passphrase)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )
    write_secret(path, locked)


def read_key(path: Path, passphrase: str, absent: str) -> Any:
    """Return the key of a file, of whichever kind; absent: the remedy where there is none.

    A Problem when it cannot be read, or the passphrase is another.
    """
    try:
        return serialization.load_pem_private_key(path.read_bytes(), passphrase.encode())
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", absent, code=INPUT) from None
    except (ValueError, TypeError):
        raise Problem(
            f"{path} does not open with this passphrase",
            "type it again; nobody can open it without",
            code=INPUT,
        ) from None
