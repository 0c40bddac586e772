"""The office's file of keys: what each gateway shares with the collector.

JSON, {"gw-ecole": "64 hex digits"}; while a key is replaced 128, two keys one after the other:
both are believed, and the first signs. Not the exchange itself (rotate.py).

    keys = KeyFile(Path("keys.json"))       # a mapping that follows the file
    write_keys(path, {**read_keys(path), "gw-ecole": new + old})
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agent.mac import KEY_BYTES
from host_tools.problems import INPUT, USAGE, Problem
from host_tools.trust.secret_words import write_secret

log = logging.getLogger("eclor.keys")


def read_keys(path: Path) -> dict[str, bytes]:
    """Return the keys of a file, one of 32 bytes or two of them for each gateway."""
    try:
        tree = json.loads(path.read_text())
        found = {str(gateway): bytes.fromhex(key) for gateway, key in tree.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        remedy = 'write {"gw-ecole": "64 hex digits"}'
        raise Problem(f"{path} holds no keys: {error}", remedy, code=INPUT) from None
    wrong = sorted(
        gateway for gateway, key in found.items() if len(key) not in (KEY_BYTES, 2 * KEY_BYTES)
    )
    if wrong:
        remedy = "give 64 hex digits, or 128: the new key and the one before"
        raise Problem(f"{path}: the key of {wrong[0]} is not 32 bytes", remedy, code=INPUT)
    return found


def read_keys_of(path: Path, gateway: str) -> bytes:
    """Return what the file has of one gateway: its key, or the new one and the one before."""
    known = read_keys(path)
    if gateway not in known:
        raise Problem(f"{path} has no key of {gateway}", "give its name as in birth", code=USAGE)
    return known[gateway]


def write_keys(path: Path, keys: Mapping[str, bytes]) -> None:
    """Write all keys in the file's place: who reads it has the old ones or the new ones whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    tree = {gateway: key.hex() for gateway, key in keys.items()}
    write_secret(fresh, json.dumps(tree, indent=1).encode() + b"\n")
    os.replace(fresh, path)


class KeyFile(Mapping[str, bytes]):
    """The keys of a file as it is now: it is read again when it has changed.

    A file that is gone or damaged changes nothing: the keys of before stay good.
    """

    def __init__(self, path: Path) -> None:
        """Read it; a Problem when it holds no keys."""
        self._path = path
        self._stamp = self._look()
        self._keys = read_keys(path)

    def __getitem__(self, gateway: str) -> bytes:
        """Return a gateway's key, or its two."""
        return self._now()[gateway]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the gateways that have a key."""
        return iter(self._now())

    def __len__(self) -> int:
        """Return how many gateways have a key."""
        return len(self._now())

    def _look(self) -> tuple[int, int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return 0, 0, 0
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _now(self) -> dict[str, bytes]:
        stamp = self._look()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._keys = read_keys(self._path)
            except Problem as problem:
                log.warning("%s; the keys of before stay", problem)
        return self._keys
