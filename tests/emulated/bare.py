"""Boards for the tests of this folder: deployed once, then copied as often as wanted."""

import shutil
import time
from pathlib import Path

from host_tools.cable.deploy import deploy
from host_tools.packing import bundle, image
from host_tools.problems import OK
from host_tools.sim.bare_board import BareBoard

ROOT = Path(__file__).resolve().parent.parent.parent
_made: list[Path] = []


def deployed(folder: Path, scratch: Path, **options) -> BareBoard:
    """Return a board in `folder`, not yet plugged in, that has this checkout's firmware.

    scratch: outlives the caller; the one that is copied is made there.
    """
    if not _made:
        data = bundle.pack(image.files_for(["host"]), "0.1.0", 1, ["host"])
        with BareBoard(scratch / "deployed") as board:
            (result,) = deploy([board.port], data)
            assert result.code == OK, result
        _made.append(scratch / "deployed" / "flash.img")
    folder.mkdir(parents=True)
    shutil.copy(_made[0], folder / "flash.img")
    # In real time: a busy computer must not look like a firmware that hangs.
    return BareBoard(folder, **{"watchdog_s": 60.0, **options})


def await_words(board: BareBoard, words: str, wait_s: float = 30.0) -> str:
    """Wait until the board has said these words; return the last of what it said."""
    until_s = time.monotonic() + wait_s
    while words.encode() not in bytes(board.said):
        assert time.monotonic() < until_s, bytes(board.said).decode(errors="replace")
        time.sleep(0.02)
    return bytes(board.said).decode(errors="replace")
