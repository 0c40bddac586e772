"""A decoder written from agent/FORMAT.md alone gives the same rows: the page is sufficient."""

import random
from binascii import crc32

import pytest

from agent import codec_odds
from agent.codec import BadBlock, Block, decode
from tests.fakes.codec_vectors import GOLDEN, OLD
from tests.host import naive_decoder
from tests.host.codec_inputs import adversaries, changing, series_of


def _blocks(rows, count=1):
    """Return count blocks of the same rows, the later ones with what the earlier taught."""
    block = Block(len(rows[0][1]), 4000)
    made = []
    for _ in range(count):
        block.open(bytes(4), 0, 1, 0)
        for row in rows:
            if not block.add(*row):
                break
        made.append(bytes(block.data[: block.seal()]))
    return made


def _noises(count):
    dice = random.Random(9)
    for bits in range(1, 65, 3):
        yield (
            f"{bits} bits",
            series_of(*([dice.getrandbits(bits) for _ in range(count)] for _ in "abc")),
        )


def test_golden_vectors_decode():
    for rows, _, golden in GOLDEN:
        assert naive_decoder.decode(bytes.fromhex(golden)) == list(rows)
    for rows, version, golden in OLD:
        if version == 3:
            assert naive_decoder.decode(bytes.fromhex(golden)) == rows


@pytest.mark.parametrize("count", [3, 70])
def test_hard_series_decode(count):
    for name, rows in adversaries(count, seed=count):
        for data in _blocks(rows):
            found = decode(data).rows
            assert found == rows[: len(found)], name
            assert naive_decoder.decode(data) == found, name


def test_packed_blocks_decode():
    dice = random.Random(8)
    versions = set()
    for points, count, bits in ((1, 60, 4), (3, 90, 17), (2, 40, 64), (4, 300, 1), (9, 33, 8)):
        columns = [
            [dice.getrandbits(bits) - (1 << 63) for _ in range(count)] for _ in range(points)
        ]
        for step_ms in (1000, 1001):
            rows = series_of(*columns, step_ms=step_ms)
            if points > 2:  # one without a value, one with gaps
                for i, (_, values, quality) in enumerate(rows):
                    gap = dice.randrange(5)
                    values[0] = None
                    values[1] = None if gap == 0 else values[1]
                    rows[i] = (rows[i][0], values, bytes((4, 3 * (gap < 2))) + quality[2:])
            for data in _blocks(rows, 2):
                versions.add(data[0] >> 4)
                found = decode(data).rows
                assert found == rows[: len(found)], (points, count)
                assert naive_decoder.decode(data) == found, (points, count)
    assert 5 in versions


def test_long_noise_and_what_follows_or_lies_on_a_grid_decodes():
    dice = random.Random(3)
    noise = [dice.randrange(40) for _ in range(300)] + [7] * 40 + [9000]
    series = [series_of(noise, step_ms=1)]
    first = [40 * dice.randrange(50) + 3 for _ in range(120)]
    second = [dice.randrange(900) for _ in first]
    total = [a - b for a, b in zip(first, second, strict=True)]
    energy = [3 * sum(first[: i + 1]) for i in range(len(first))]
    series.append(series_of(first, second, total, energy))
    held = [first[i - i % (2 + i // 30)] for i in range(len(first))]
    series.append(series_of(held, [7 * each + 1 for each in held], [-each for each in held]))
    told = 0
    for rows in series:
        for data in _blocks(rows, 8):
            assert data[0] >> 4 == 4
            assert naive_decoder.decode(data) == decode(data).rows
        block = naive_decoder._Block(data[12:-4], 4, len(rows[0][1]), 1000)
        told += sum(bool(each.terms) + (each.grid > 1) for each in block.channels)
    assert told > 2, "no block told what it noticed"


def test_series_that_change_their_kind_decode():
    for seed in range(8):
        rows = changing(seed, 200)
        for data in _blocks(rows, 2):
            found = decode(data).rows
            assert found == rows[: len(found)], seed
            assert naive_decoder.decode(data) == found, seed


def test_noise_that_ceases_soon_after_it_was_told_as_it_is_decodes():
    dice = random.Random(5)
    noise = [dice.randrange(16) for _ in range(120)]
    for count in range(40, 110, 2):
        rows = series_of(noise[:count] + [each + (1 << 40) for each in noise[count:]])
        (data,) = _blocks(rows)
        assert naive_decoder.decode(data) == rows


def test_damaged_blocks_with_a_right_check_sum_end_alike():
    dice = random.Random(4)
    ends = {"bad": 0, "rows": 0}
    packed = 0
    for _, rows in [*adversaries(25, seed=6), *_noises(40)]:
        for good in _blocks(rows, 2):
            data = bytearray(good[:-4])
            data[dice.randrange(7, len(data))] ^= 1 << dice.randrange(8)
            if data[0] >> 4 == 4:
                data[0] = dice.choice((3, 4)) << 4 | data[0] & 15
            data += crc32(data).to_bytes(4, "big")
            found = []
            for read in (lambda it: decode(it).rows, naive_decoder.decode):
                try:
                    found.append(read(bytes(data)))
                except (BadBlock, naive_decoder.Bad):
                    found.append(None)
            assert found[0] == found[1]
            ends["rows" if found[0] else "bad"] += 1
            packed += data[0] >> 4 == 5
    assert min(ends.values()) > 5, ends
    assert packed > 20


def test_the_page_has_the_numbers_of_the_code():
    shared, time, value = naive_decoder._odds_of_the_page()
    made = [[(slot >> 3) - 4096 for slot in slots] for slots in codec_odds.odds()]
    assert [shared, time, value] == made
    assert naive_decoder._table(4) == list(codec_odds.table())[:512]
    assert naive_decoder._table(3) == list(codec_odds.table(32))[:512]
    assert sum(naive_decoder._RATES, ()) == codec_odds.RATES
