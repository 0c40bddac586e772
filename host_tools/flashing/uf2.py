"""UF2 files and the volumes of a Pico that waits for one.

    chip_of(Path("x.uf2").read_bytes())         # "rp2040"
    for volume in volumes(): print(volume.path, volume.board_id)
    install(volume, data)                       # copied; the Pico restarts by itself

Source: github.com/microsoft/uf2, README; family numbers: its utils/uf2families.json and the
RP2350 datasheet 5.5.3. A Pico drops a UF2 of another family without a word and stays silent
(pico-feedback#488), so family and board are compared before a byte is copied.
"""

import os
import re
import struct
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.problems import DEVICE, INPUT, Problem

MAGIC = b"UF2\n"
_BLOCK = struct.Struct("<IIIIIIII")
_BLOCK_BYTES = 512
_SECOND = 0x9E5D5157
_END = 0x0AB16F30
_HAS_FAMILY = 0x2000
_FAMILIES = {0xE48BFF56: "rp2040", 0xE48BFF59: "rp2350"}
_ABSOLUTE = 0xE48BFF57  # a block for every family: RP2350 erratum E10
_CHIPS_OF_VOLUMES = {"RPI-RP2": "rp2040", "RP2350": "rp2350"}  # Board-ID of the ROM's volume
_PIECE = 64 * 1024
_POLL_S = 0.2


@dataclass(frozen=True)
class Volume:
    """The drive that a Pico in its bootloader shows."""

    path: Path
    board_id: str  # Board-ID of INFO_UF2.TXT

    @property
    def chip(self) -> str:
        """The chip behind it; "" when we do not know it."""
        return _CHIPS_OF_VOLUMES.get(self.board_id, "")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return {"path": str(self.path), "kind": "volume", "board_id": self.board_id}


def chip_of(data: bytes) -> str:
    """Return the chip that a UF2 file is for. A Problem when it is damaged, or for another."""
    families = set()
    if not data or len(data) % _BLOCK_BYTES:
        raise Problem("the UF2 file is cut short", "fetch it again", code=INPUT)
    for at in range(0, len(data), _BLOCK_BYTES):
        first, second, flags, _, size, _, _, family = _BLOCK.unpack_from(data, at)
        (end,) = struct.unpack_from("<I", data, at + _BLOCK_BYTES - 4)
        if (first.to_bytes(4, "little"), second, end) != (MAGIC, _SECOND, _END) or size > 476:
            raise Problem(
                f"the UF2 file is damaged in block {at // _BLOCK_BYTES}",
                "fetch it again",
                code=INPUT,
            )
        if flags & _HAS_FAMILY and family != _ABSOLUTE:
            families.add(family)
    chips = {_FAMILIES.get(family, "") for family in families}
    if len(chips) != 1 or "" in chips:
        shown = ", ".join(f"{family:#x}" for family in sorted(families)) or "no family"
        raise Problem(
            f"the UF2 file is for {shown}", "take the .uf2 of a Pico W or Pico 2 W", code=INPUT
        )
    return chips.pop()


def volumes(roots: Iterable[Path] | None = None) -> list[Volume]:
    """Return the volumes of waiting Picos. roots: where drives are mounted; None: the usual."""
    found = []
    for root in roots if roots is not None else mount_points():
        info = root / "INFO_UF2.TXT"
        try:
            text = info.read_text(errors="replace")
        except OSError:
            continue
        match = re.search(r"^Board-ID: *(\S+)", text, re.MULTILINE)
        found.append(Volume(root, match[1] if match else ""))
    return found


def mount_points() -> list[Path]:
    """Return the folders where this system shows its drives."""
    if sys.platform == "win32":
        return [Path(f"{letter}:\\") for letter in "DEFGHIJKLMNOPQRSTUVWXYZ"]
    if sys.platform == "darwin":
        return sorted(Path("/Volumes").glob("*"))
    return sorted(
        path for top in ("/media", "/run/media", "/mnt") for path in _below(Path(top)) if path
    )


def _below(top: Path) -> list[Path]:
    try:
        first = [path for path in top.iterdir() if path.is_dir()]
        return first + [inner for path in first for inner in path.iterdir() if inner.is_dir()]
    except OSError:
        return []


def install(
    volume: Volume,
    data: bytes,
    on_progress: Callable[[float], None] = lambda share: None,
    *,
    wait_s: float = 20.0,
) -> None:
    """Copy a UF2 file to a volume; return when the Pico has taken it and the volume is gone.

    on_progress: gets 0 .. 1. A Problem when it is for another chip, when the drive vanishes
    halfway, or when it stays for wait_s although everything was copied.
    """
    wanted = chip_of(data)
    if volume.chip != wanted:
        raise Problem(
            f"the image is for {wanted}, and {volume.path} is {volume.board_id or 'no Pico'}",
            "choose the image of this board",
            code=INPUT,
        )
    try:
        _copy(volume.path / "firmware.uf2", data, on_progress)
    except OSError as error:
        if (volume.path / "INFO_UF2.TXT").exists():
            raise Problem(
                f"{volume.path}: {error.strerror}",
                "hold BOOTSEL, plug it in again, and flash once more",
                code=DEVICE,
            ) from None
        raise Problem(
            f"{volume.path} vanished before all was copied",
            "plug it in again with BOOTSEL held, and flash once more: nothing is broken",
            code=DEVICE,
        ) from None
    deadline = time.monotonic() + wait_s
    while (volume.path / "INFO_UF2.TXT").exists():
        if time.monotonic() > deadline:
            raise Problem(
                f"{volume.path} is still there: the Pico has not taken the image",
                "plug it in again with BOOTSEL held, and flash once more",
                code=DEVICE,
            )
        time.sleep(_POLL_S)
    on_progress(1.0)


def _copy(target: Path, data: bytes, on_progress: Callable[[float], None]) -> None:
    with target.open("wb", buffering=0) as file:
        for at in range(0, len(data), _PIECE):
            file.write(data[at : at + _PIECE])
            os.fsync(file.fileno())
            on_progress(min(at + _PIECE, len(data)) / len(data) * 0.99)
