"""What other ways of writing readings need, batch by batch, in bytes: rivals of agent/codec.py.

Each batch stands alone, as a block does. pcodec is the package, the best of its levels for each
column, one byte of framing a column; the others are what a gateway would send without a codec.
zlib, lzma: over the CSV text. SenML: JSON, a record a value, base name and time once a row. CBOR:
an array a row, integers at their size, decimals as doubles. varint: zigzag deltas. Rice: the same
deltas with a parameter that follows their mean.
"""

import json
import lzma
import zlib
from collections.abc import Callable, Sequence
from typing import Any

from host_tools.codec.series import Series, csv_text
from host_tools.problems import FAILED, Problem

_LEVELS = (4, 8, 12)
_TINY = 24  # what CBOR says in its first byte


def _columns(batch: Series) -> list[list[int]]:
    """Return times, in the unit of their decimals, and values; a null repeats its predecessor."""
    scale: int = 10 ** (3 - batch.decimals[0])
    columns = [[at_ms // scale for at_ms, _ in batch.rows]]
    for index in range(len(batch.names) - 1):
        column: list[int] = []
        for _, values in batch.rows:
            value = values[index]
            column.append(value if value is not None else column[-1] if column else 0)
        columns.append(column)
    return columns


def pcodec(batch: Series) -> float:
    """The best level for each column."""
    try:
        import numpy as np
        from pcodec import ChunkConfig, wrapped
    except ImportError:
        raise Problem("pcodec is not installed", "pip install pcodec", code=FAILED) from None
    total = 0
    for column in _columns(batch):
        kind: Any = np.uint64 if max(column) >= 1 << 63 else np.int64
        array = np.array(column, dtype=kind)
        sizes = []
        for level in _LEVELS:
            chunk = wrapped.FileCompressor().chunk_compressor(array, ChunkConfig(level))
            pages = sum(len(chunk.write_page(i)) for i in range(len(chunk.n_per_page())))
            sizes.append(len(chunk.write_meta()) + pages)
        total += 1 + min(sizes)
    return total


def _zlib(batch: Series) -> float:
    return len(zlib.compress(csv_text(batch).encode(), 9))


def _lzma(batch: Series) -> float:
    return len(lzma.compress(csv_text(batch).encode(), format=lzma.FORMAT_ALONE, preset=9))


def _senml(batch: Series) -> float:
    total = 0
    lines = csv_text(batch).splitlines()[1:]
    for line in lines:
        time, *cells = line.split(",")
        pack: list[dict[str, object]] = []
        for name, cell in zip(batch.names[1:], cells, strict=True):
            if cell:
                pack.append({"n": name, "v": float(cell) if "." in cell else int(cell)})
        pack[:1] = [{"bn": batch.name + "/", "bt": float(time), **entry} for entry in pack[:1]]
        total += len(json.dumps(pack, separators=(",", ":")))
    return total


def _cbor_integer(value: int) -> int:
    value = value if value >= 0 else -1 - value
    return (
        1 if value < _TINY else 1 + max(1, 1 << ((value.bit_length() + 7) // 8 - 1).bit_length())
    )


def _cbor(batch: Series) -> float:
    total = 0
    places = batch.decimals
    for row in zip(*_columns(batch), strict=True):
        total += 1 + sum(
            9 if digits else _cbor_integer(value)
            for value, digits in zip(row, places, strict=True)
        )
    return total


def _zigzags(column: Sequence[int]) -> list[int]:
    steps = [b - a for a, b in zip([0, *column], column, strict=False)]
    return [2 * step if step >= 0 else -2 * step - 1 for step in steps]


def _varint(batch: Series) -> float:
    return sum(
        max(1, (value.bit_length() + 6) // 7)
        for column in _columns(batch)
        for value in _zigzags(column)
    )


def _rice(batch: Series) -> float:
    bits = 0
    for column in _columns(batch):
        values = _zigzags(column)
        bits += 7 + values[0].bit_length()
        mean = 64
        run = 0
        for value in values[1:]:
            if mean < 16 and value == 0:  # a run of zeros, told by its length when it ends
                run += 1
                continue
            if run:
                bits += 2 * run.bit_length() - 1
                run = 0
            width = max(0, (mean >> 4).bit_length() - 1)
            quotient = value >> width
            bits += width + (quotient + 1 if quotient < 20 else 84)
            mean += value - (mean >> 4)
        bits += 2 * run.bit_length()
    return (bits + 7) // 8


RIVALS: dict[str, Callable[[Series], float]] = {
    "pcodec": pcodec,
    "zlib": _zlib,
    "lzma": _lzma,
    "senml": _senml,
    "cbor": _cbor,
    "varint": _varint,
    "rice": _rice,
}
