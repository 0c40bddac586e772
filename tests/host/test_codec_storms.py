"""What a writer makes of hard series of many seeds stays what it is, to the byte, and comes back.

Not the series of meters (tests/unit/test_codec_bytes.py): here every branch of the model is gone
through from both sides, over blocks that follow each other and learn of those before. A change of
these digests is a change of what gateways write; a reader knows every format that ever was.
"""

from hashlib import sha256

import pytest

from agent.codec import Block, decode
from tests.host.codec_inputs import adversaries, changing, storm

_SIZES = (130, 400, 1100, 4000)


def _written(rows, size):
    """Yield the blocks of a series, as they are closed and as they are sealed."""
    block = Block(len(rows[0][1]), size)
    block.open(bytes(4), 1, 1, 3)
    back = []
    for row in [*rows, None]:
        if row is None or not block.add(*row):
            start, end = block.close()
            yield bytes(block.data[start:end])
            sealed = bytes(block.data[: block.seal()])
            back += decode(sealed).rows
            yield sealed
            block.open(bytes(4), 1, 1, 3)
            assert row is None or block.add(*row)
    assert [(at, list(values), bytes(quality)) for at, values, quality in back] == rows


def _digest(series):
    mark = sha256()
    for turn, rows in enumerate(series):
        for data in _written(rows, max(_SIZES[turn % 4], 90 * len(rows[0][1]))):
            mark.update(data)
    return mark.hexdigest()[:16]


@pytest.mark.parametrize(
    "seed, wanted", [(1, "d9edc97b0a3383ad"), (2, "cad6f4877ab80d77"), (3, "1fbf2bb4264c262d")]
)
def test_series_that_change_their_kind(seed, wanted):
    assert _digest(changing(12 * seed + turn) for turn in range(12)) == wanted


@pytest.mark.parametrize(
    "count, wanted", [(3, "6824693121211304"), (40, "b26c6f1cf49ec652"), (150, "e368942f1e64713e")]
)
def test_adversaries(count, wanted):
    assert _digest(rows for _, rows in adversaries(count, count)) == wanted


@pytest.mark.parametrize(
    "seed, wanted", [(1, "4e23638c4a45bac7"), (2, "88e1195c6b271b34"), (3, "bbce8b2fa1f8e9aa")]
)
def test_any_kinds_side_by_side(seed, wanted):
    assert _digest(storm(1000 * seed + turn) for turn in range(16)) == wanted
