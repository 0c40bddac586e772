"""How far several boards are: a bar each on a terminal, a line per change elsewhere; on stderr."""

import sys
from collections.abc import Sequence
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Bars:
    """Use it as a context manager; tell() may be called from any thread."""

    def __init__(self, ports: Sequence[str], *, quiet: bool) -> None:
        self._quiet = quiet
        self._said: dict[str, str] = {}
        console = Console(stderr=True)
        self._bars = None
        self._tasks: dict[str, TaskID] = {}
        if console.is_terminal and not quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, console=console)
            self._tasks = {port: self._bars.add_task(port, total=1.0) for port in ports}

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars:
            self._bars.stop()

    def tell(self, port: str, share: float, words: str) -> None:
        """Show how far a board is, 0 .. 1, and what is being done."""
        if self._bars:
            self._bars.update(self._tasks[port], completed=share, description=f"{port} {words}")
        elif not self._quiet and self._said.get(port) != words:
            self._said[port] = words
            print(f"{port}: {words}", file=sys.stderr)
