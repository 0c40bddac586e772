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
    """Yield the end of a series' blocks after each row, as a power cut may want it, and all."""
    block = Block(len(rows[0][1]), size)
    block.open(bytes(4), 1, 1, 3)
    back = []
    for row in [*rows, None]:
        if row is None or not block.add(*row):
            sealed = bytes(block.data[: block.seal()])
            back += decode(sealed).rows
            yield sealed
            block.open(bytes(4), 1, 1, 3)
            assert row is None or block.add(*row)
        _, end = block.close()
        yield bytes(block.data[end - 8 : end])  # with the check sum of all before
    assert [(at, list(values), bytes(quality)) for at, values, quality in back] == rows


def _digest(series):
    mark = sha256()
    for turn, rows in enumerate(series):
        for data in _written(rows, max(_SIZES[turn % 4], 90 * len(rows[0][1]))):
            mark.update(data)
    return mark.hexdigest()[:16]


@pytest.mark.parametrize(
    "seed, wanted", [(1, "0d9c3847033ae974"), (2, "75535cf58b0ad6c8"), (3, "6e82a7c301224e21")]
)
def test_series_that_change_their_kind(seed, wanted):
    assert _digest(changing(12 * seed + turn) for turn in range(12)) == wanted


@pytest.mark.parametrize(
    "count, wanted",
    [
        (2, "abaeb28b91f8dcfb"),
        (3, "c7543ef4c56779b2"),
        (40, "51eacaaa06774e47"),
        (150, "97fdcb30267a5307"),
    ],
)
def test_adversaries(count, wanted):
    assert _digest(rows for _, rows in adversaries(count, count)) == wanted


@pytest.mark.parametrize(
    "seed, wanted", [(1, "6493d221e70f1ef0"), (2, "e372f915d1cc8082"), (3, "e1f441fbc4aea112")]
)
def test_any_kinds_side_by_side(seed, wanted):
    assert _digest(storm(1000 * seed + turn) for turn in range(16)) == wanted
