"""The codec's kernel compiled by numba, in both directions: for worlds that write for years.

It is the very function of agent/codec_plain.py, so the same bytes come out, as MicroPython's share
of `make years` shows anew each time. CPython only; without numba everything stays as it is.

    compile_codec()          # from now on all blocks of this process are written and read so
"""

from collections.abc import Sequence
from typing import Any

from agent import codec_plain
from agent.codec_rows import Rows
from host_tools.codec import fast

_ALONE = 32  # the mode in which code() looks at Python's own values
_VIEWS_MAX = 64


class _Compiled(fast._Words):
    """A kernel whose code() finds the views of a block's arrays again."""

    def __init__(self, compiled: Any) -> None:
        super().__init__()
        self._compiled = compiled
        self._views: dict[int, tuple[Any, Any, list[Any]]] = {}
        self.code = self._call

    def _call(
        self,
        state: Any,
        slots: Any,
        table: Any,
        work: Any,
        row: Any,
        data: bytearray,
        count: int,
        mode: int,
        values: Sequence[int | None] | None,
        lows: Sequence[int | None] | None,
    ) -> int:
        if mode & _ALONE:
            plain = codec_plain.code(
                state, slots, table, work, row, data, count, mode, values, lows
            )
            return int(plain)
        known = self._views.get(id(state))
        if known is None or known[0] is not state or known[1] is not data:
            known = (state, data, self._views_of((state, slots, table, work, row), data))
        views = known[2]
        return int(self._compiled(*views, count, mode, views[4], views[4]))

    def _views_of(self, arrays: tuple[Any, ...], data: bytearray) -> list[Any]:
        """Return numpy's views of a block's arrays, and keep them."""
        import numpy as np

        if len(self._views) == _VIEWS_MAX:
            self._views.clear()
        views = [np.frombuffer(each, np.int64) for each in arrays]
        views.append(np.frombuffer(data, np.uint8))
        self._views[id(arrays[0])] = (arrays[0], data, views)
        return views


def compile_codec() -> bool:
    """Let this process write and read blocks by the compiled kernel; False without numba."""
    compiled = fast._compiled()
    if compiled is None:
        return False
    if not isinstance(Rows.kernel, _Compiled):
        Rows.kernel = _Compiled(compiled[0])
    return fast.speed_up()
