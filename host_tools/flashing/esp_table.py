"""The partition table inside an ESP32 image: read it, and give it the regions a board wants.

    table = read_table(image, start)           # [Partition("nvs", 1, 2, 0x9000, 0x6000), ...]
    image = with_regions(image, start, board)  # `vfs` and `journal` as the board says

Source: ESP-IDF, gen_esp32part.py and "Partition Tables": entries of 32 bytes at 0x8000, behind
them an entry EB EB with the MD5 of all before, the rest erased.

    | AA 50 | type | subtype | offset 4 | size 4 | label 16 | flags 4 |
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from host_tools.problems import INPUT, Problem

TABLE_AT = 0x8000
TABLE_BYTES = 0x0C00
_ENTRY = struct.Struct("<2sBBII16sI")
_MAGIC = b"\xaa\x50"
_SUM = b"\xeb\xeb" + b"\xff" * 14
_DATA = 1
_UNDEFINED = 6  # data that ESP-IDF knows nothing about
_FILES = "vfs"  # what MicroPython's image calls the region of files
_JOURNAL = "journal"


@dataclass(frozen=True)
class Partition:
    """One entry."""

    label: str
    kind: int
    subtype: int
    start: int
    size: int
    flags: int = 0


def read_table(image: bytes, start: int) -> list[Partition]:
    """Return the partitions of an image that begins at `start`. A Problem when it has no table."""
    at = TABLE_AT - start
    found = []
    for place in range(at, at + TABLE_BYTES, _ENTRY.size):
        entry = image[place : place + _ENTRY.size]
        if entry[:2] != _MAGIC:
            break
        _, kind, subtype, begin, size, label, flags = _ENTRY.unpack(entry)
        found.append(
            Partition(label.rstrip(b"\0").decode("ascii"), kind, subtype, begin, size, flags)
        )
    if not found:
        raise Problem(
            "the image holds no partition table: it is an application alone",
            "take the .bin that MicroPython offers for a first installation",
            code=INPUT,
        )
    written = b"".join(_packed(partition) for partition in found)
    total = image[at + len(written) : at + len(written) + _ENTRY.size]
    if total[:16] == _SUM and total[16:] != hashlib.md5(written).digest():
        raise Problem("the partition table of the image is damaged", "fetch it again", code=INPUT)
    return found


def with_regions(image: bytes, start: int, board: Mapping[str, Any]) -> bytes:
    """Return the image with the files and the journal where the board's `regions` say.

    Nothing changes for a board without a region `journal`. A Problem when the image's own files
    begin elsewhere, or something lies where the journal goes.
    """
    regions = {name: (begin, size) for name, begin, size in board["flash"]["regions"]}
    if _JOURNAL not in regions:
        return image
    table = [part for part in read_table(image, start) if part.label != _JOURNAL]
    files = [part for part in table if part.label == _FILES]
    begin, size = regions["files"]
    if not files or files[0].start != begin:
        raise Problem(
            f"the image has no files at {begin:#x}, where {board['name']} has them",
            "take MicroPython's plain image of this board, none with OTA",
            code=INPUT,
        )
    table = [replace(part, size=size) if part.label == _FILES else part for part in table]
    journal = Partition(_JOURNAL, _DATA, _UNDEFINED, *regions[_JOURNAL])
    for part in table:
        if part.start < journal.start + journal.size and journal.start < part.start + part.size:
            raise Problem(
                f"{part.label} lies where the journal of {board['name']} goes",
                "take MicroPython's plain image of this board",
                code=INPUT,
            )
    written = b"".join(_packed(part) for part in [*table, journal])
    whole = (written + _SUM + hashlib.md5(written).digest()).ljust(TABLE_BYTES, b"\xff")
    at = TABLE_AT - start
    return image[:at] + whole + image[at + TABLE_BYTES :]


def _packed(part: Partition) -> bytes:
    label = part.label.encode("ascii").ljust(16, b"\0")
    return _ENTRY.pack(_MAGIC, part.kind, part.subtype, part.start, part.size, label, part.flags)
