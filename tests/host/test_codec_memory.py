"""What open blocks take of a heap with words of 32 bits, measured by tests/wasm/blocks.mjs."""

import json
import subprocess
from pathlib import Path

import pytest

from agent.sealing import block_bytes
from tests.on_32_bits import absent

_ROOT = Path(__file__).resolve().parent.parent.parent
_SIZE = 992  # block.size as it comes
_HEAP = 100_000

pytestmark = pytest.mark.skipif(bool(absent()), reason=absent() or "all is here")


def _live(*meters):
    """Return bytes of (points, count of meters, size of a block) each, all open at once."""
    done = subprocess.run(
        ["node", _ROOT / "tests" / "wasm" / "blocks.mjs", _ROOT, json.dumps(meters)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_36_meters_of_one_point_and_one_of_36_points_fit_a_heap_of_100_kb():
    many, one = _live((1, 36, block_bytes(_SIZE, 36)), (36, 1, block_bytes(_SIZE, 1)))
    assert many < _HEAP
    assert one / 37 < 700, "bytes a channel, that of time counted"


def test_many_meters_share_their_room_and_few_do_not():
    assert [block_bytes(_SIZE, count) for count in (1, 8, 9, 16, 36, 100)] == [
        _SIZE,
        _SIZE,
        910,
        512,
        227,
        224,
    ]
    assert block_bytes(128, 3) == 128
