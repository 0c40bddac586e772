"""Who may see the pages: on loopback everybody, anywhere else those of a users file.

Passwords are kept as argon2id hashes (argon2-cffi); the session is a signed cookie (Starlette).
The page of open data needs no login.

    add_user(Path("users.json"), "marie", "a long password")
    Users(Path("users.json")).check("marie", "a long password")     # True
"""

import json
import os
import time
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from host_tools.problems import INPUT, Problem

_TRIES = 5
_WAIT_S = 60.0
_PASSWORD_MIN = 10


class Users:
    """The users of a file: JSON, name to argon2id hash."""

    def __init__(self, path: Path) -> None:
        self._hashes = _read(path)
        self._hasher = PasswordHasher()
        # Checked for unknown names, so that their answer takes as long as a known one's.
        self._nobody = self._hasher.hash(os.urandom(16).hex())

    def check(self, name: str, password: str) -> bool:
        """Whether this is the password of that user."""
        try:
            self._hasher.verify(self._hashes.get(name, self._nobody), password)
        except (VerificationError, InvalidHashError):
            return False
        return name in self._hashes


class Tries:
    """Slows guessing down: after five failures an address waits a minute."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}

    def may(self, address: str, now_s: float | None = None) -> bool:
        """Whether this address may try now."""
        now_s = time.monotonic() if now_s is None else now_s
        count, since_s = self._failed.get(address, (0, now_s))
        if now_s - since_s >= _WAIT_S:
            self._failed.pop(address, None)
            return True
        return count < _TRIES

    def failed(self, address: str, now_s: float | None = None) -> None:
        """Count one failure."""
        now_s = time.monotonic() if now_s is None else now_s
        self._failed[address] = (self._failed.get(address, (0, 0))[0] + 1, now_s)
        if len(self._failed) > 10_000:
            self._failed.pop(next(iter(self._failed)))


def _read(path: Path) -> dict[str, str]:
    """Return name -> hash of a users file; a Problem when it is none."""
    try:
        tree = json.loads(path.read_text())
        return {str(name): str(found) for name, found in tree.items()}
    except (OSError, ValueError, AttributeError) as error:
        remedy = f"make another: eclor pages --users {path} --add-user NAME"
        raise Problem(f"{path} is no users file: {error}", remedy, code=INPUT) from None


def add_user(path: Path, name: str, password: str) -> None:
    """Add a user or set a password; the file is readable by its owner only."""
    if len(password) < _PASSWORD_MIN:
        remedy = f"take at least {_PASSWORD_MIN} characters"
        raise Problem("the password is too short", remedy, code=INPUT)
    tree = _read(path) if path.exists() else {}
    tree[name] = PasswordHasher().hash(password)
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(tree, file, indent=1)
    fresh.replace(path)
