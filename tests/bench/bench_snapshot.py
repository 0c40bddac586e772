"""What a state shared by gateway and collector would save: blocks that begin with learnt odds.

Not built: the bars asked with a shared state are met without one, and agent/FORMAT.md says what it
would cost, with these figures. Here the odds and the mean of each channel
at the end of earlier blocks take the place of those that every block begins with, on both sides;
each block is decoded and compared. Two ways: the state after the first blocks for all that follow;
and each block from the one before, which would have to be acknowledged before the next begins.
"""

import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from agent import codec_plain, codec_rows
from agent.codec import Block, decode
from host_tools.codec.rivals import pcodec
from host_tools.codec.series import Series, read_csv
from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parent.parent.parent
_FOLDER = ROOT.parent / "shared" / "bench-data"
_ROWS = 3000
_LEARNT_ROWS = 600
_BARS = {60: 0.62, 240: 0.74}
_NAME = 4  # bytes that a short name for hash, meter and count of points would take less

Learnt = tuple[Any, list[int]]  # slots, and the mean of each channel


@contextmanager
def _beginning_with(learnt: Learnt | None) -> Iterator[None]:
    """Let every block, written or read, begin with what was learnt."""
    begin = codec_rows.Rows._begin

    def begun(self: Any, *args: Any) -> None:
        begin(self, *args)
        if learnt:
            self.slots[:] = learnt[0]
            for channel, mean in enumerate(learnt[1]):
                self.state[_mean_at(channel)] = mean

    with mock.patch.object(codec_rows.Rows, "_begin", begun):
        yield


def _mean_at(channel: int) -> int:
    return codec_plain._WORDS + channel * codec_plain._CHANNEL + codec_plain._MEAN


def _learnt(block: Block) -> Learnt:
    rows = block.rows
    return rows.slots[:], [int(rows.state[_mean_at(c)]) for c in range(rows.points + 1)]


def _encode(block: Block, part: list[Any], learnt: Learnt | None) -> tuple[int, Learnt]:
    """Return the bytes of one block, decoded and compared, and what it had learnt at its end."""
    with _beginning_with(learnt):
        block.open(bytes(4), 0, 1, 0)
        for at_ms, values in part:
            quality = bytes(1 if value is None else 0 for value in values)
            if not block.add(at_ms, values, quality):
                raise RuntimeError("a block of the bench does not fit")
        after = _learnt(block)
        data = bytes(block.data[: block.seal()])
        if [(at_ms, values) for at_ms, values, _ in decode(data).rows] != part:
            raise RuntimeError("a block came back otherwise")
    return len(data), after


def _totals(series: Series, size: int) -> tuple[float, ...]:
    """Return bytes cold, with the first blocks' state, with the last block's; blocks; pcodec's."""
    points = len(series.names) - 1
    blocks = [Block(points, 4000) for _ in range(3)]  # each notices habits in its own
    parts = [series.rows[at : at + size] for at in range(0, len(series.rows), size)]
    frozen: Learnt | None = None
    first = max(1, _LEARNT_ROWS // size)
    for part in parts[:first]:
        frozen = _encode(blocks[1], part, frozen)[1]
        _encode(blocks[0], part, None)
    _encode(blocks[2], parts[first - 1], frozen)
    last = frozen
    cold = shared = chained = 0
    for part in parts[first:]:
        cold += _encode(blocks[0], part, None)[0]
        shared += _encode(blocks[1], part, frozen)[0]
        length, last = _encode(blocks[2], part, last)
        chained += length
    rival = sum(pcodec(replace(series, rows=part)) for part in parts[first:])
    return cold, shared, chained, len(parts) - first, rival


def _mean(ratios: list[float]) -> float:
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def run() -> list[Figure]:
    """Measure; see the module's text. Without the series there is nothing to measure."""
    sys.path.insert(0, str(ROOT / "host_tools" / "shim"))
    folder = Path(os.environ.get("SERIES", _FOLDER))
    sets = [read_csv(path, _ROWS) for path in sorted(folder.glob("*.csv"))]
    figures = []
    for size in (6, 60, 240) if sets else ():
        kept = (
            sets
            if size > 6
            else [Series(s.name, s.names, s.decimals, s.rows[:1200]) for s in sets]
        )
        found = [_totals(series, size) for series in kept]
        for which, what in ((1, "state after the first blocks"), (2, "state of the block before")):
            for less, how in ((0, "the head as it is"), (_NAME, f"a head {_NAME} bytes shorter")):
                ratios = [(totals[which] - less * totals[3]) / totals[0] for totals in found]
                name = f"shared {what}, {size} rows"
                text = f"geometric mean of {len(sets)} sets, {how}, prototype, each block decoded"
                figures.append(Figure(name, _mean(ratios), "of cold", text))
        for which, what in ((0, "without"), (1, "with")) if size in _BARS else ():
            text = f"rows behind the first {_LEARNT_ROWS}; bar with shared state {_BARS[size]}"
            ratio = _mean([totals[which] / totals[4] for totals in found])
            figures.append(
                Figure(f"ours / pcodec {what} shared state, {size} rows", ratio, "", text)
            )
    return figures
