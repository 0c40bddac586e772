"""The readings of a gateway that is gone, out of its archive: what its journal held, as records.

    found = rescue(Path("gw-ecole.zip"))          # of `eclor backup`
    store.take(found.messages())                  # host_tools/collect/store.py, in pieces

The journal is read by the gateway's own code, on a copy. What the collector had acknowledged and
the flash still held comes too: stored twice is stored once, by gateway and number. Open blocks,
the readings of the last minutes, have no number yet and are only counted: a gateway that runs on
seals them itself, and what was sent under their numbers could not be told apart.
"""

import os
import secrets
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.journal import Journal
from agent.record import (
    OVERHEAD,
    PAYLOAD_MAX,
    BadRecord,
    check_record,
    next_record,
    record_length,
)
from agent.ring import Ring
from agent.store import Files
from host_tools.cable import archive
from host_tools.collect.messages import RECORD, Message
from host_tools.planning.site_rules import board as board_of
from host_tools.planning.site_rules import board_names
from host_tools.problems import INPUT, Problem

_JOURNAL = "journal/"
_BLOCK = 4096


@dataclass(frozen=True)
class Rescued:
    """What an archive's journal held."""

    gateway: str
    records: tuple[bytes, ...]  # as they go over the wire, by number
    waiting: int  # of them, those that no collector had acknowledged
    open_blocks: int  # readings that had no number yet: not among the records
    damaged: int  # places that could not be read

    def messages(self) -> list[Message]:
        """Return them as they would have come from the broker."""
        return [Message(f"eclor/1/{self.gateway}/{RECORD}", data) for data in self.records]


class _Region:
    """The journal's own region, from a file: a block device in RAM."""

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Copy from the region."""
        at = block * _BLOCK + offset
        buffer[:] = self._data[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytes, offset: int = 0) -> None:
        """Copy into it."""
        at = block * _BLOCK + offset
        self._data[at : at + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> int:
        """Tell its shape, or erase a block."""
        if operation == 6:
            self._data[argument * _BLOCK : (argument + 1) * _BLOCK] = b"\xff" * _BLOCK
        return {4: len(self._data) // _BLOCK, 5: _BLOCK}.get(operation, 0)


def rescue(path: Path) -> Rescued:
    """Return what the journal of an archive held; a Problem when it is no whole archive."""
    about = archive.inspect(path)
    if not about.gateway or about.board not in board_names():
        raise Problem(f"{path} is of no gateway", "eclor backup makes one", code=INPUT)
    flash = board_of(about.board)["flash"]
    with zipfile.ZipFile(path) as opened, tempfile.TemporaryDirectory() as made:
        region = opened.read(archive.RING) if archive.RING in opened.namelist() else b""
        ground: Any = Ring(_Region(region), flash["program"]) if region else None
        if ground is None:
            names = [name for name in about.files if name.startswith(_JOURNAL)]
            for name in names:
                file = Path(made) / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(opened.read(f"files/{name}"))
            root = str(Path(made) / _JOURNAL.rstrip("/"))
            os.makedirs(root, exist_ok=True)
            ground = Files(root, flash["segment"], flash["small"], None, flash["program"])
        return _read(about.gateway, ground)


def _read(gateway: str, ground: Any) -> Rescued:
    journal: Any = Journal(ground, lambda: secrets.randbits(32), 1 << 30)
    found = journal.start()
    before = list(_acknowledged(journal))
    waiting = []
    out = bytearray(PAYLOAD_MAX + OVERHEAD)
    seq, length = journal.read_from(journal.first, out)
    while length:
        waiting.append(bytes(out[:length]))
        seq, length = journal.read_from(seq + 1, out)
    return Rescued(
        gateway,
        (*before, *waiting),
        len(waiting),
        len(found.opens),
        journal.damaged_places,
    )


def _acknowledged(journal: Any) -> Iterator[bytes]:
    """Yield the records that the collector had, where their segments are still there."""
    page = bytearray(journal.ground.segment_size)
    for number in journal.segments:
        length = journal.ground.read_segment(number, page)
        at = 0
        while at < length:
            try:
                size = record_length(page, at, length)
                _, seq, journal_id, _, _ = check_record(page, at, at + size)
            except BadRecord:
                at = next_record(page, at + 1, length, journal.journal_id)
                continue
            if seq <= journal.acked and journal_id == journal.journal_id:
                yield bytes(page[at : at + size])
            at += size
