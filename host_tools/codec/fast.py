"""Decoding blocks with the codec's kernel compiled by numba, for a host that decodes many.

It is the very function of agent/codec_plain.py, so the same rows come out; rows in which nothing
but values is told are read in one go. Without numba (extra `fast`) the plain reader stays. The
first use compiles, for some ten seconds; the result is kept beside the module.

    speed_up()              # True where numba is there: from now on decode() uses it
    agent.codec.decode(data)
"""

from array import array
from collections.abc import Callable
from functools import cache
from itertools import accumulate, repeat
from threading import Thread
from typing import Any

from agent import codec_plain
from agent.codec_kernel import BadBlock, Kernel
from agent.codec_read import Decoded, Reader, after
from agent.codec_rows import Rows

_WORDS = codec_plain._WORDS
_CHANNEL = codec_plain._CHANNEL
_BIAS = codec_plain._BIAS
_BAD = codec_plain._BAD
_SLOT = codec_plain._SLOT
_READ = 1
_PLAIN = 1  # what the kernel answers to a plain row; more where something is to be done
_HAS_VALUE = 128
_FAR_BASE = 1 << 62

Row = tuple[int, list[int | None], bytes]


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
def _table_of_old() -> "array[int]":
    return array("q", Reader(0)._table_of_old())


@cache
def _compiled() -> tuple[Callable[..., int], Callable[..., int]] | None:
    """Return the compiled kernel and the loop over plain rows; None where there is no numba."""
    try:
        from numba import njit
    except ImportError:
        return None
    words = "int64[::1]"
    arrays = f"{words}, {words}, {words}, {words}, {words}, uint8[::1]"
    code = njit(f"int64({arrays}, int64, int64, {words}, {words})", cache=True)(codec_plain.code)

    def plain_rows(state, slots, table, work, row, data, channels, found):
        """Read rows into found until one is not plain, or is and leaves something to do.

        Returns how many are in found, times 256, and what the kernel answered to the last.
        """
        count = 0
        answer = _PLAIN
        while count < len(found) and answer == _PLAIN:
            state[_SLOT] = 1
            answer = code(state, slots, table, work, row, data, channels, _READ, row, row)
            if answer & _PLAIN:
                for channel in range(channels):
                    found[count, channel] = state[_WORDS + channel * _CHANNEL] - _BIAS
                count += 1
            if state[_BAD]:
                break
        return count << 8 | answer

    return code, njit(f"int64({arrays}, int64, int64[:, ::1])", cache=True)(plain_rows)


class FastReader(Reader):
    """A reader that calls the compiled kernel with views of its arrays."""

    def __init__(self, points: int, like: Rows | None = None) -> None:
        self.kernel = _words()
        super().__init__(points, like)
        self._views: list[Any] = []

    def _table_of_old(self) -> "array[int]":
        return _table_of_old()

    def begin(self, data: bytes, at: int, end: int) -> None:
        """Start at the index `at` of data, of which end is the first byte beyond the rows."""
        import numpy as np

        compiled = _compiled()
        assert compiled is not None
        kernel = self.kernel
        if self.version < 4:
            self._table = self._table_of_old()
        table: Any = self._table or kernel.table
        arrays = (self.state, self.slots, table, kernel.work, self.row)
        views = [np.frombuffer(each, np.int64) for each in arrays]
        row = views[-1]
        views.append(np.frombuffer(bytearray(data), np.uint8))
        self._views = views
        compiled_code = compiled[0]

        def code(*asked: Any) -> int:
            return compiled_code(*views, asked[6], asked[7], row, row)

        kernel.code = code
        super().begin(data, at, end)

    def read(self, count: int, at_ms: int) -> list[Row]:
        """Return count rows, the first of them of at_ms: (at_ms, values, quality) each."""
        rows: list[Row] = []
        answer = None
        while len(rows) < count:
            # The first row, one that is not plain, one after that, and those that have tails.
            told = self.get(not rows) if answer is None else self._finish(answer, False)
            answer = None
            at_ms = after(at_ms, told[0])
            rows.append((at_ms, *told[1:]))
            if self._plain and not self._is_wide and len(rows) < count:
                more, found = self._run(count - len(rows), at_ms)
                rows += more
                at_ms = rows[-1][0]
                if not found & _PLAIN:
                    self._plain = 0
                    answer = found
                elif found != _PLAIN:
                    self._tidy(found)
        return rows

    def _run(self, most: int, at_ms: int) -> tuple[list[Row], int]:
        """Return plain rows, most at most, and what the kernel answered at last."""
        import numpy as np

        compiled = _compiled()
        assert compiled is not None
        found = np.empty((most, self.points + 1), np.int64)
        count, answer = divmod(compiled[1](*self._views, self.points + 1, found), 256)
        if self.state[_BAD]:
            raise BadBlock("a value beyond what can be written")
        steps = found[:count, 0].tolist()
        base = self._bases[0]
        times = list(accumulate(((step + base) * self.unit_ms for step in steps), initial=at_ms))
        del times[0]
        if times and not (0 <= min(times) and max(times) < 1 << 63):
            raise BadBlock("a row of a time beyond 63 bits")
        bases = self._bases[1:]
        if all(abs(base) < _FAR_BASE for base in bases):
            values = (found[:count, 1:] + np.array(bases, np.int64)).tolist()
        else:
            values = [
                [value + base for value, base in zip(row, bases, strict=True)]
                for row in found[:count, 1:].tolist()
            ]
        for channel in range(1, self.points + 1):
            if self._forms[channel] < _HAS_VALUE:
                for row in values:
                    row[channel - 1] = None
        return list(zip(times, values, repeat(self._usual), strict=False)), answer


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
