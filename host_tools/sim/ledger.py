"""The ledger: every reading that left a simulated meter, when, and whether it arrived whole.

Not what a meter meant to send, nor what the gateway made of it: taps (host_tools/sim/taps.py)
decode the bytes that passed, with code that shares nothing with drivers/. Together with
the database it gives the verdict of host_tools/sim/oracle.py.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Answer:
    """One answer or one pushed frame of one meter."""

    meter: str
    at_ms: int  # when its last byte had passed, ms since 1970 UTC
    values: Mapping[str, int | None]  # point -> integer at the point's exponent; None: not given
    intact: bool  # its bytes crossed the wire undamaged
    heard: bool  # the gateway had power
    pushed: bool  # the meter speaks unasked


class Ledger:
    """All answers in the order they passed; kept in memory, and in a file for the curious."""

    def __init__(self, path: Path | None = None) -> None:
        """path: JSON Lines are appended to it; None: memory only."""
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8", buffering=1)

    def add(self, answer: Answer) -> None:
        """Keep one answer."""
        with self._lock:
            self._answers.append(answer)
            if self._file:
                self._file.write(json.dumps(asdict(answer)) + "\n")

    def answers(self) -> list[Answer]:
        """Return all of them, oldest first: a copy."""
        with self._lock:
            return list(self._answers)

    def forget_before(self, at_ms: int) -> None:
        """Drop what is older from memory; it stays in the file."""
        with self._lock:
            self._answers = [answer for answer in self._answers if answer.at_ms >= at_ms]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._answers)

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None
