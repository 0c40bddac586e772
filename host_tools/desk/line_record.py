"""Record a line to a file, and say at a glance whether the settings look right.

    heard = record(wire, Path("linky.bin"), 30.0)
    heard.count, heard.pieces, heard.hint

Not here: what the bytes mean (`eclor parse`), opening the wire (desk/wires.py).
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from host_tools.desk.wires import Wire

_WAIT_S = 0.05
_GAP_S = 0.03  # a silence that parts two pieces
_MANY = 40  # bytes before a judgement
NOTHING = (
    "nothing was heard: is the meter's output switched on, are the wires the right way round?"
)
ONE_VALUE = "almost all bytes are the same: wrong polarity, or a line that is held"
NO_TEXT = "seven data bits were asked for and what comes is no text: another speed or parity"


@dataclass(frozen=True)
class Heard:
    """What a recording holds."""

    count: int
    pieces: int
    hint: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


def record(
    wire: Wire,
    file: Path,
    seconds: float,
    on_count: Callable[[int], None] = lambda count: None,
    *,
    is_text: bool = False,
) -> Heard:
    """Write what comes for so many seconds to the file; a KeyboardInterrupt ends it well.

    is_text: the line carries text, and what is none gets a hint.
    """
    counts = [0] * 256
    total = pieces = 0
    last_s = 0.0
    deadline = time.monotonic() + seconds
    with file.open("wb") as out:
        try:
            while time.monotonic() < deadline:
                data = wire.read(_WAIT_S)
                if not data:
                    continue
                now_s = time.monotonic()
                pieces += now_s - last_s > _GAP_S
                last_s = now_s
                out.write(data)
                out.flush()
                for byte in data:
                    counts[byte] += 1
                total += len(data)
                on_count(total)
        except KeyboardInterrupt:
            pass
    return Heard(total, pieces, _hint(counts, total, is_text=is_text))


def _hint(counts: list[int], total: int, *, is_text: bool) -> str:
    if not total:
        return NOTHING
    if total < _MANY:
        return ""
    if max(counts) > total * 0.9:
        return ONE_VALUE
    text = sum(counts[32:127]) + sum(counts[byte] for byte in (2, 3, 4, 9, 10, 13))
    return NO_TEXT if is_text and text < total * 0.9 else ""
