"""Decoding blocks with the codec's kernel compiled by numba, for a host that decodes many.

It is the very function of agent/codec_plain.py, so the same rows come out; without numba (extra
`fast`) the plain one stays. The first use compiles it, for some ten seconds; the result is kept
beside the module.

    speed_up()              # True where numba is there: from now on decode() uses it
    agent.codec.decode(data)
"""

from array import array
from collections.abc import Callable
from functools import cache
from threading import Thread
from typing import Any

from agent import codec_plain
from agent.codec_read import Decoded, Reader
from agent.codec_rows import Kernel


class _Words(Kernel):
    """The kernel's numbers in words of 64 bits, which numba does not widen to floats."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("table", "shared", "time", "value", "work", "blank"):
            setattr(self, name, array("q", getattr(self, name)))

    def words(self, count: int) -> "array[int]":
        return array("q", bytes(8 * count))

    slots = words


@cache
def _words() -> _Words:
    return _Words()


@cache
def _compiled() -> Callable[..., int] | None:
    """Return the compiled kernel, or None where there is no numba."""
    try:
        from numba import njit
    except ImportError:
        return None
    words = "int64[::1]"
    signature = f"int64({words}, {words}, {words}, {words}, {words}, uint8[::1], int64, int64, "
    made: Callable[..., int] = njit(f"{signature}{words}, {words})", cache=True)(codec_plain.code)
    return made


class FastReader(Reader):
    """A reader that calls the compiled kernel with views of its arrays."""

    def __init__(self, points: int) -> None:
        self.kernel = _words()
        super().__init__(points)

    def begin(self, data: bytes, at: int, end: int) -> None:
        """Start at the index `at` of data, of which end is the first byte beyond the rows."""
        import numpy as np

        compiled = _compiled()
        assert compiled is not None
        kernel = self.kernel
        arrays = (self.state, self.slots, kernel.table, kernel.work, self.row)
        views = [np.frombuffer(each, np.int64) for each in arrays]
        row = views[-1]
        views.append(np.frombuffer(bytearray(data), np.uint8))

        def code(*asked: Any) -> int:
            return compiled(*views, asked[6], asked[7], row, row)

        kernel.code = code
        super().begin(data, at, end)


def speed_up() -> bool:
    """Let decode() use the compiled kernel; False, and nothing changed, without numba."""
    if _compiled() is None:
        return False
    Decoded.reader = FastReader
    return True


class Pace:
    """Counts blocks, and speeds up in the background once they are many."""

    def __init__(self, many: int = 20_000) -> None:
        self._left = many

    def count(self, blocks: int) -> None:
        """Take note of blocks decoded."""
        if self._left > 0:
            self._left -= blocks
            if self._left <= 0:
                Thread(target=speed_up, name="codec", daemon=True).start()
