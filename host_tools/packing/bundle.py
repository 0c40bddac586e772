"""A bundle: the firmware of one version as one file, made and read (agent/BUNDLE.md).

Not here: compiling (host_tools/packing/image.py) and keys on disk (host_tools/packing/release.py).

    data = pack(compiled, "0.2.0", 7, ["rpi_pico_w"])      # unsigned: for the cable only
    data = sign(data, private_key)
    read(data).version
"""

import struct
from binascii import crc32
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from host_tools.problems import INPUT, Problem

MAGIC = b"eclor\x00\x00\x01"
HEAD_BYTES = 192
KEY_BYTES = 384
OFFER_BYTES = HEAD_BYTES + 2 * KEY_BYTES
_HEAD = struct.Struct(">8sIII32s32sI24s80s")
assert _HEAD.size == HEAD_BYTES


@dataclass(frozen=True)
class Row:
    """One file: where it lies in the content, and its SHA-256."""

    path: str
    size: int
    at: int
    digest: bytes


@dataclass(frozen=True)
class Bundle:
    """What a bundle says of itself; the signature is not looked at."""

    version: str
    counter: int
    boards: tuple[str, ...]
    rows: tuple[Row, ...]
    content: bytes
    next_key: bytes

    def file(self, row: Row) -> bytes:
        """Return the bytes of one file."""
        return self.content[row.at : row.at + row.size]


def pack(
    files: Mapping[str, bytes],
    version: str,
    counter: int,
    boards: Sequence[str],
    *,
    next_key: bytes = b"",
) -> bytes:
    """Return an unsigned bundle of files (path -> bytes); a Problem when a field is too long.

    next_key: the modulus of the key that may sign the release after this one.
    """
    names, hashes, content = b"", b"", b""
    for path in sorted(files):
        names += f"{path} {len(files[path])} {len(content)}\n".encode("ascii")
        hashes += sha256(files[path]).digest()
        content += files[path]
    head = _HEAD.pack(
        MAGIC,
        counter,
        len(names) + len(hashes),
        len(content),
        sha256(names + hashes).digest(),
        sha256(names + hashes + content).digest(),
        len(names),
        _text(version, 24, "version"),
        _text(",".join(boards), 80, "boards"),
    )
    keys = next_key.ljust(KEY_BYTES, b"\0") + bytes(KEY_BYTES)
    return head + keys + names + hashes + content


def rooms(read: Bundle) -> dict[str, int]:
    """Return what each folder of a bundle takes, in bytes."""
    found: dict[str, int] = {}
    for row in read.rows:
        folder = row.path.rpartition("/")[0]
        found[folder] = found.get(folder, 0) + row.size
    return found


SlotState = tuple[str, str, int, int, int, str]  # active, trial, tries, fails, spent, note
FROZEN = "-"  # as active in /slot: what is frozen into the image


def slot_state(active: str, note: str = "") -> bytes:
    """Return the content of /slot that makes boot.py run a slot that is on no trial."""
    line = f"{active} - 0 0 0 {note}".encode()
    return line + b"\n%08x" % crc32(line)


def read_slot_state(data: bytes) -> SlotState | None:
    """Return (active, trial, tries, fails, spent, note) of /slot; None when it is unreadable."""
    line, _, crc = data.partition(b"\n")
    parts = line.decode(errors="replace").split(" ", 5)
    if crc != b"%08x" % crc32(line) or len(parts) != 6:
        return None
    active, trial, tries, fails, spent, note = parts
    if active not in ("a", "b", FROZEN) or not (tries + fails + spent).isdecimal():
        return None
    return active, trial, int(tries), int(fails), int(spent), note


def listing_bytes(head: bytes) -> int:
    """Return the length of the listing that follows the offer; a Problem when it is no bundle."""
    if len(head) < HEAD_BYTES or head[:8] != MAGIC:
        raise Problem("this is no bundle", "make one: eclor bundle", code=INPUT)
    return int(_HEAD.unpack_from(head)[2])


def rows_of(head: bytes, listing: bytes) -> tuple[Row, ...] | None:
    """Return the files of a bundle, their places counted from its first byte; None: damaged."""
    fields = _HEAD.unpack_from(head)
    if sha256(listing).digest() != fields[4]:
        return None
    names = fields[6]
    start = OFFER_BYTES + len(listing)
    rows = []
    for i, line in enumerate(listing[:names].decode("ascii").splitlines()):
        path, length, at = line.split(" ")
        digest = listing[names + 32 * i : names + 32 * i + 32]
        rows.append(Row(path, int(length), start + int(at), digest))
    return tuple(rows)


def _text(text: str, room: int, what: str) -> bytes:
    data = text.encode("ascii", errors="replace")
    if not text or len(data) > room or b"?" in data or b" " in data:
        raise Problem(
            f"{what} {text!r} is not 1 to {room} plain characters",
            "give letters, digits, dots and dashes",
            code=INPUT,
        )
    return data.ljust(room, b"\0")


def read(data: bytes) -> Bundle:
    """Return what a bundle holds; a Problem when it is none, or damaged."""
    if len(data) < OFFER_BYTES or data[:8] != MAGIC:
        raise Problem("this is no bundle", "make one: eclor bundle", code=INPUT)
    _, counter, listing, size, listed, whole, names, version, boards = _HEAD.unpack_from(data)
    rest = data[OFFER_BYTES:]
    if len(rest) != listing + size or sha256(rest).digest() != whole:
        raise Problem("the bundle is damaged", "make it again: eclor bundle", code=INPUT)
    lines = rest[:names].decode("ascii").splitlines()
    if sha256(rest[:listing]).digest() != listed or listing != names + 32 * len(lines):
        raise Problem("the bundle's listing is wrong", "make it again: eclor bundle", code=INPUT)
    rows = []
    for i, line in enumerate(lines):
        path, length, at = line.split(" ")
        digest = rest[names + 32 * i : names + 32 * i + 32]
        rows.append(Row(path, int(length), int(at), digest))
    return Bundle(
        version.rstrip(b"\0").decode(),
        counter,
        tuple(boards.rstrip(b"\0").decode().split(",")),
        tuple(rows),
        rest[listing:],
        data[HEAD_BYTES : HEAD_BYTES + KEY_BYTES].strip(b"\0") and data[192:576],
    )
