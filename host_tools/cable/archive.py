"""A gateway's files in one archive, and back onto it or onto the board that replaces it.

A zip: backup.json says whose it is and lists every file with its SHA-256; files/ holds them. What
is secret (settings' secrets, the private key, a rotated key) is left out, or lies in secrets.bin,
locked by a passphrase (scrypt, ChaCha20-Poly1305): there is no third way.

The journal is in the archive for the collector's people, and never goes back: a number that was
sent once may not come again with other content (agent/JOURNAL.md). A replacement begins its own.

    backup(prompt, Path("gw.zip"), passphrase="")
    restore(prompt, Path("gw.zip"), passphrase="", replaces=False)
"""

import base64
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from host_tools.cable.deploy import check_board, clear_boot
from host_tools.cable.prompt import BoardError, Prompt
from host_tools.cable.provision import open_gateway
from host_tools.problems import FAILED, INPUT, Problem
from host_tools.trust.secret_words import check_new

FORMAT = 1
Tell = Callable[[float, str], None]  # 0 .. 1, words
_ABOUT = "backup.json"
_LOCKED = "secrets.bin"
RING = "journal.bin"
_SALT_BYTES = 16
_BLOCK = 4096
# In this order they come back: what starts the others is last.
_ORDER = ("boot.mpy", "a", "b", "certs/", "state/", "config-", "secrets-", "maps/")
_LAST = ("slot", "settings", "main.py")


@dataclass(frozen=True)
class About:
    """What an archive is of."""

    gateway: str
    board: str
    serial: str
    at: str
    files: Mapping[str, tuple[int, str]]  # path: bytes, SHA-256
    secrets: int  # how many files are locked; 0: left out


def is_secret(path: str) -> bool:
    """Whether a file of a gateway must never be seen."""
    return path.startswith("secrets-") or path in ("certs/own.key", "state/key")


def backup(
    prompt: Prompt, path: Path, passphrase: str = "", tell: Tell = lambda share, words: None
) -> About:
    """Write an archive of the gateway behind a prompt; passphrase "": without its secrets."""
    if passphrase:
        check_new(passphrase)
    identity = open_gateway(prompt)
    sizes = {name: size for name, size in prompt.files().items() if name != "maintenance"}
    if not passphrase:
        sizes = {name: size for name, size in sizes.items() if not is_secret(name)}
    total, done = max(sum(sizes.values()), 1), 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tell(done / total, "reading")

    digests = prompt.digests(sizes)
    content = {name: prompt.read(name, count) for name in sizes}
    for name, data in content.items():
        if digests[name][1] != sha256(data).digest():
            raise Problem(
                f"{name} came otherwise than it is", "look at the cable, and do it again"
            )
    locked = {name: data for name, data in content.items() if is_secret(name)}
    ring = _read_ring(prompt)
    about = {
        "format": FORMAT,
        "gateway": identity["gateway"],
        "board": identity["board"],
        "serial": identity["id"],
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            name: [len(data), sha256(data).hexdigest()]
            for name, data in content.items()
            if name not in locked
        },
        "secrets": len(locked),
    }
    fresh = path.with_name(path.name + ".new")
    try:
        with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(_ABOUT, json.dumps(about, indent=1))
            for name in about["files"]:
                archive.writestr(f"files/{name}", content[name])
            if ring:
                archive.writestr(RING, ring)
            if locked:
                archive.writestr(_LOCKED, _lock(locked, passphrase))
        os.replace(fresh, path)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "give another place", code=INPUT) from None
    return inspect(path)


def inspect(path: Path) -> About:
    """Return what an archive is of, after a look that it is whole. A Problem otherwise."""
    try:
        with zipfile.ZipFile(path) as archive:
            tree = json.loads(archive.read(_ABOUT))
            files = {name: (size, digest) for name, (size, digest) in tree["files"].items()}
            for name, (_, digest) in files.items():
                if sha256(archive.read(f"files/{name}")).hexdigest() != digest:
                    raise Problem(f"{path}: {name} is damaged", "take another copy", code=FAILED)
            if tree["format"] != FORMAT:
                raise Problem(f"{path} is of format {tree['format']}", "update eclor", code=INPUT)
            who, board, serial, at = (str(tree[k]) for k in ("gateway", "board", "serial", "at"))
            return About(who, board, serial, at, files, int(tree["secrets"]))
    except OSError as error:
        raise Problem(
            f"{path}: {error.strerror}", "give an archive; eclor backup makes one", code=INPUT
        ) from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError):
        raise Problem(
            f"{path} is no whole archive of a gateway", "eclor backup makes one", code=INPUT
        ) from None


def restore(
    prompt: Prompt,
    path: Path,
    passphrase: str = "",
    *,
    replaces: bool = False,
    tell: Tell = lambda share, words: None,
) -> list[str]:
    """Bring an archive's files back; return the paths that were written.

    replaces: the board is another one, that takes the place of the one that was saved.
    """
    about = inspect(path)
    check_board(prompt, [about.board])
    serial = str(prompt.info()["id"])
    if serial != about.serial and not replaces:
        raise Problem(
            f"{prompt.port} is the board {serial}, the archive is of {about.serial}",
            "give --replaces when it takes the place of that one, which must not run again",
            code=INPUT,
        )
    content = _content(path, about, passphrase)
    prompt.enter_maintenance()
    there = prompt.digests(content)
    wanted = {
        name: data
        for name, data in content.items()
        if name not in there or there[name][1] != sha256(data).digest()
    }
    if serial == about.serial:
        # What the same board has counted since is newer: commands must not come twice.
        wanted = {n: d for n, d in wanted.items() if not (n.startswith("state/") and n in there)}
    total, done = max(sum(map(len, wanted.values())), 1), 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        tell(done / total, "writing")

    for name in sorted(wanted, key=_place):
        if name == "main.py":
            clear_boot(prompt)
        prompt.put(name, wanted[name], count)
    return sorted(wanted, key=_place)


def _place(name: str) -> tuple[int, str]:
    if name in _LAST:
        return len(_ORDER) + 1 + _LAST.index(name), name
    for i, start in enumerate(_ORDER):
        if name.startswith(start):
            return i, name
    return len(_ORDER), name


def _content(path: Path, about: About, passphrase: str) -> dict[str, bytes]:
    """Return what comes back: no journal, and settings only together with their secrets."""
    with zipfile.ZipFile(path) as archive:
        content = {
            name: archive.read(f"files/{name}")
            for name in about.files
            if not name.startswith("journal/")
        }
        if passphrase and not about.secrets:
            raise Problem(
                f"{path} holds no secrets", "restore it without, then eclor provision", code=INPUT
            )
        if passphrase:
            return content | _unlock(archive.read(_LOCKED), passphrase, path)
    return {
        name: data
        for name, data in content.items()
        if not name.startswith("config-") and name != "settings"
    }


def _lock(files: Mapping[str, bytes], passphrase: str) -> bytes:
    plain = json.dumps({name: base64.b64encode(data).decode() for name, data in files.items()})
    salt = os.urandom(_SALT_BYTES)
    box = ChaCha20Poly1305(_key(passphrase, salt))
    return salt + box.encrypt(bytes(12), plain.encode(), None)  # each salt has a key of its own


def _unlock(data: bytes, passphrase: str, path: Path) -> dict[str, bytes]:
    box = ChaCha20Poly1305(_key(passphrase, data[:_SALT_BYTES]))
    try:
        tree: dict[str, Any] = json.loads(box.decrypt(bytes(12), data[_SALT_BYTES:], None))
    except InvalidTag:
        raise Problem(
            f"{path} does not open with this passphrase", "type it again", code=INPUT
        ) from None
    return {name: base64.b64decode(text) for name, text in tree.items()}


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())


def _read_ring(prompt: Prompt) -> bytes:
    """Return the journal's own region of an ESP32, b"" where it is among the files."""
    try:
        prompt.run(
            "from esp32 import Partition as _P\n"
            "_p=_P.find(_P.TYPE_DATA,label='journal')[0];_v=bytearray(1024)"
        )
        size = int(prompt.value("_p.info()[3]"))
    except BoardError:
        return b""
    data = bytearray()
    blank = b"\xff" * 1024
    for block in range(size // _BLOCK):
        for part in range(0, _BLOCK, 1024):
            prompt.run(f"_p.readblocks({block},_v,{part})")
            is_blank = prompt.value("_v==b'\\xff'*1024")
            data += blank if is_blank else prompt.bytes_of("_v")
    return bytes(data) if data.strip(b"\xff") else b""
