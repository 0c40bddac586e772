"""No input costs much more than its packed bits, whatever it is (agent/FORMAT.md, version 5).

A block may take a 64th and 4 bytes more than its rows packed, each column at the width of the
range of its numbers: the writer sees to it, by packing what came out dearer.

MicroPython writes the blocks and reads them again: a million values a second with viper.
"""

import itertools
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.host.codec_inputs import LEAST, MOST, adversaries, packed_bytes, series_of, storm

_ROOT = Path(__file__).resolve().parent.parent.parent

# Reads series as lines of JSON, an empty line after each; prints count, size and version of each
# block.
_DEVICE = """
import sys, json
from agent.codec import Block, decode
def finish(block, rows):
    end = block.seal()
    found = decode(bytes(block.data[:end])).rows
    if found != rows:
        raise ValueError("a block came back otherwise")
    print(len(rows), end, block.data[0] >> 4, end=" ")
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
    """Return for each series of rows its blocks: (count of rows, bytes, version)."""
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
    return [list(zip(line[::3], line[1::3], line[2::3], strict=True)) for line in numbers]


def _check(series):
    """Check (name, rows) of each; return how many blocks had which version."""
    room, versions = [], {4: 0, 5: 0}
    for (name, rows), blocks in zip(series, _written([rows for _, rows in series]), strict=True):
        at = 0
        for count, size, version in blocks:
            is_ms = any(at_ms % 1000 for at_ms, _, _ in rows[: at + 1])
            head, packed = packed_bytes(rows[at : at + count], is_ms)
            room.append((head + packed + (packed >> 6) + 4 - size, name, count, size, packed))
            versions[version] += 1
            assert version == 4 or size == head + packed, (name, count, size, packed)
            at += count
        assert at == len(rows)
    assert len(room) >= len(series)
    assert min(room)[0] >= 0, sorted(room)[:5]
    return versions


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
    _check([each for bits in widths for each in _noise(bits, count)[:1]])


def test_long_blocks_of_little_or_no_change_cost_little_more():
    count = 2000
    series = [
        ("three constants", series_of([7] * count, [MOST] * count, [LEAST] * count)),
        ("alternation", series_of([i % 2 * 999 for i in range(count)])),
        ("ramp", series_of([i * 4097 for i in range(count)])),
    ]
    dice = random.Random(count)
    for bits in (1, 5, 22):
        walk = [*itertools.accumulate(dice.randrange(-1 << bits, 1 << bits) for _ in range(count))]
        series.append((f"walk by {bits} bits", series_of(walk)))
        steps = [dice.getrandbits(bits) if i % 17 == 0 else 0 for i in range(count)]
        series.append((f"steps of {bits} bits", series_of(steps)))
    _check(series)


def test_any_kinds_side_by_side_cost_little_more_than_packed_bits():
    versions = _check([(f"storm {seed}", storm(seed)) for seed in range(150)])
    assert min(versions.values()) > 20, versions


@pytest.mark.parametrize("points", [2, 4, 8, 36])
def test_points_of_noise_cost_little_more_than_packed_bits(points):
    series = []
    for count in (2, 12, 60, 125):
        for bits in (1, 2, 3, 6, 10, 16, 23, 40):
            dice = random.Random(bits * count)
            columns = [[dice.getrandbits(bits) for _ in range(count)] for _ in range(points)]
            if points * count * bits < 40_000:
                series.append((f"{points} of {bits} bits", series_of(*columns)))
    assert _check(series)[5]
