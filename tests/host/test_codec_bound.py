"""No input costs much more than its packed bits, in blocks of any number of rows.

Packed: a head of 16 bytes and a check sum of 4; then for the steps of time and for each point the
least value in whole bytes and, for each row, as many bits as the range of the values has. A block
may take 3 % and 12 bytes more; 6 bytes more for each further point that is noise.

MicroPython writes the blocks and reads them again: a million values a second with viper.
"""

import itertools
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.codec_inputs import MOST, adversaries, series_of

_ROOT = Path(__file__).resolve().parent.parent.parent
_HEAD = 16 + 4

# Reads series as lines of JSON, an empty line after each; prints count and size of each block.
_DEVICE = """
import sys, json
from agent.codec import Block, decode
def finish(block, rows):
    start, end = block.close()
    found = decode(bytes(block.data[start:end])).rows
    if found != rows:
        raise ValueError("a block came back otherwise")
    print(len(rows), end - start, end=" ")
while True:
    line = sys.stdin.readline()
    if not line:
        break
    block = None
    rows = []
    while line != "\\n":
        at_ms, values, quality = json.loads(line)
        quality = bytes(quality)
        if block is None:
            block = Block(len(values), 4000)
            block.open(bytes(4), 0, 1, 0)
        if not block.add(at_ms, values, quality):
            finish(block, rows)
            rows = []
            block.open(bytes(4), 0, 1, 0)
            block.add(at_ms, values, quality)
        rows.append((at_ms, values, quality))
        line = sys.stdin.readline()
    finish(block, rows)
    print()
"""


def _written(series):
    """Return for each series of rows its blocks: (count of rows, bytes)."""
    lines = [
        "".join(json.dumps([at, values, list(quality)]) + "\n" for at, values, quality in rows)
        for rows in series
    ]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("micropython")), "-X", "heapsize=16m", "-c", _DEVICE],
        cwd=_ROOT,
        env={**os.environ, "MICROPYPATH": f"{_ROOT}:.frozen"},
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    numbers = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    return [list(zip(line[::2], line[1::2], strict=True)) for line in numbers]


def _packed(rows):
    columns = [*zip(*(values for _, values, _ in rows), strict=True)]
    steps = [later[0] - sooner[0] for sooner, later in itertools.pairwise(rows)]
    total = _HEAD
    for column in (*columns, steps):
        numbers = [value for value in column if value is not None]
        if numbers:
            least = max(abs(value).bit_length() + 1 for value in numbers)
            width = (max(numbers) - min(numbers)).bit_length()
            total += math.ceil(least / 8) + math.ceil(width * len(column) / 8)
    return total


def _check(series, more=0):
    """Check (name, rows) of each; return the least room that was left, in bytes."""
    room = []
    for (name, rows), blocks in zip(series, _written([rows for _, rows in series]), strict=True):
        at = 0
        for count, size in blocks:
            packed = _packed(rows[at : at + count])
            room.append((1.03 * packed + 12 + more - size, name, count, size, packed))
            at += count
        assert at == len(rows)
    assert len(room) >= len(series)
    assert min(room)[0] >= 0, sorted(room)[:5]
    return min(room)[0]


def _noise(bits, count):
    """Return columns of even noise of one width: from 0, about 0, and from no round number."""
    dice = random.Random(bits)
    noise = [dice.getrandbits(bits) for _ in range(count)]
    most = MOST - (1 << bits) + 1
    return [
        (f"noise of {bits} bits from {least}", series_of([least + value for value in noise]))
        for least in (0, -(1 << bits - 1), min(2305, most))
    ]


@pytest.mark.parametrize("count", [1, 2, 10, 150])
def test_short_blocks_of_hard_series_cost_little_more_than_packed_bits(count):
    series = [*adversaries(count)]
    for bits in range(1, 65):
        series += _noise(bits, count)
    _check(series)


@pytest.mark.parametrize(
    "count, widths", [(1000, (*range(1, 25), 32, 41, 50, 64)), (4000, (1, 2, 3, 5, 8, 11))]
)
def test_long_blocks_of_noise_cost_little_more_than_packed_bits(count, widths):
    _check([each for bits in widths for each in _noise(bits, count)[: 3 if count < 4000 else 1]])


@pytest.mark.parametrize("count", [1000, 4000])
def test_long_blocks_of_little_or_no_change_cost_little_more(count):
    series = [
        (f"constant {value}", series_of([value] * count))
        for value in (0, 7, 2305, MOST, -MOST >> 1)
    ]
    series.append(("three constants", series_of([7] * count, [MOST] * count, [-2305] * count)))
    series.append(("alternation", series_of([i % 2 * 999 for i in range(count)])))
    series.append(("ramp", series_of([i * 4097 for i in range(count)])))
    dice = random.Random(count)
    for bits in (1, 5, 22):
        walk = [*itertools.accumulate(dice.randrange(-1 << bits, 1 << bits) for _ in range(count))]
        series.append((f"walk by {bits} bits", series_of(walk)))
        steps = [dice.getrandbits(bits) if i % 17 == 0 else 0 for i in range(count)]
        series.append((f"steps of {bits} bits", series_of(steps)))
    _check(series)


def test_four_points_of_noise_cost_little_more_than_packed_bits():
    series = []
    for count in (32, 60, 100, 250):
        for bits in (1, 2, 3, 6, 10, 16, 23, 40):
            dice = random.Random(bits * count)
            columns = [[dice.getrandbits(bits) for _ in range(count)] for _ in range(4)]
            series.append((f"four of {bits} bits", series_of(*columns)))
    _check(series, more=3 * 6)
