"""Whatever comes in comes back; damage ends well. What it costs: test_codec_bound.py."""

import itertools
from binascii import crc32

from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.codec import BadBlock, Block, decode
from tests.host.codec_inputs import LEAST, MOST, adversaries, packed_bytes


def _sealed(rows):
    made, of = [], []
    block = Block(len(rows[0][1]), 4000)
    block.open(bytes(4), 0, 1, 0)
    for row in rows:
        if not block.add(*row):
            made.append(bytes(block.data[: block.seal()]))
            of.append(block.count)
            block.open(bytes(4), 0, 1, 0)
            assert block.add(*row)
    return [*made, bytes(block.data[: block.seal()])], [*of, block.count]


_VALUE = st.one_of(
    st.none(), st.integers(-300, 300), st.integers(LEAST, MOST), st.sampled_from((LEAST, 0, MOST))
)


@st.composite
def _any_rows(draw):
    points = draw(st.integers(0, 4))
    row = st.tuples(
        st.one_of(st.integers(0, 1 << 62), st.integers(0, 1 << 20).map(lambda s: s * 1000)),
        st.lists(_VALUE, min_size=points, max_size=points),
        st.binary(min_size=points, max_size=points).map(lambda q: bytes(b & 127 for b in q)),
    )
    return draw(st.lists(row, min_size=1, max_size=20))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(_any_rows())
def test_any_rows_come_back(rows):
    made, counts = _sealed(rows)
    assert [row for data in made for row in decode(data).rows] == rows
    at = 0
    for data, count in zip(made, counts, strict=True):
        is_ms = any(at_ms % 1000 for at_ms, _, _ in rows[: at + 1])
        head, packed = packed_bytes(rows[at : at + count], is_ms)
        assert len(data) <= head + packed + (packed >> 6) + 4
        at += count


@settings(max_examples=60, deadline=None, derandomize=True)
@example(
    bytes.fromhex(
        "000000000000a8000000000000000038f245518be72d765cf19dc323f06481fd22d9a66ce18e0d2e"
    ),
    True,
)
@given(st.binary(min_size=8, max_size=200), st.booleans())
def test_any_bytes_end_in_rows_or_bad_block(data, is_framed):
    if is_framed:  # the check sum is right, so that what is behind it is reached
        data = (
            bytes([(2 + data[0] // 16 % 4) << 4 | data[0] & 7])
            + data[1:6]
            + bytes([data[6] % 5])
            + data[7:]
        )
        data += (crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")
    try:
        decode(data)
    except BadBlock:
        pass


def test_a_block_spliced_from_two_is_noticed():
    made = [_sealed(rows)[0][0] for _, rows in adversaries(40) if len(rows[0][1]) == 1]
    for one, other in itertools.pairwise(made):
        for cut in range(8, min(len(one), len(other)) - 1, 5):
            spliced = one[:cut] + other[cut:]
            if spliced not in (one, other):
                try:
                    decode(spliced)
                except BadBlock:
                    continue
                raise AssertionError(f"accepted a splice at {cut}")


def test_a_block_refuses_more_rows_than_its_count_can_say():
    block = Block(0, 4000)
    block.open(bytes(4), 0, 1, 0)
    count = 0
    while block.add(count * 1000, (), b""):
        count += 1
    assert count == 0xFFFF
    start, _ = block.close()
    assert int.from_bytes(block.data[start + 11 : start + 13], "big") == count
