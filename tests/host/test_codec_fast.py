"""The compiled kernel reads what the plain one reads, and ends as it does on what is damaged."""

import random
from binascii import crc32

import pytest

from agent.codec import BadBlock, Block, decode
from agent.codec_read import Decoded, Reader
from host_tools.codec import fast
from tests.host.codec_inputs import LEAST, MOST, adversaries, changing

pytest.importorskip("numba", reason="the extra `fast` is not installed")


@pytest.fixture
def sped_up(monkeypatch):
    monkeypatch.setattr(Decoded, "reader", Decoded.reader)
    assert fast.speed_up()


def _sealed(rows):
    block = Block(len(rows[0][1]), 4000)
    made = []
    for _ in range(2):  # the second with what the first taught
        block.open(bytes(4), 0, 1, 0)
        count = 0
        while count < len(rows) and block.add(*rows[count]):
            count += 1
        start, end = block.close()
        made.append((bytes(block.data[start:end]), rows[:count]))
    return made


def test_rows_come_back_exactly(sped_up):
    for name, rows in adversaries(60, seed=4):
        for data, held in _sealed(rows):
            assert decode(data).rows == held, name


def test_series_that_change_their_kind_come_back(sped_up):
    for seed in range(25):
        for data, held in _sealed(changing(seed)):
            assert decode(data).rows == held, seed


def test_long_runs_without_a_value_and_far_from_zero_come_back(sped_up):
    rows = [
        (
            1_700_000_000_000 + 1000 * i,
            [i % 7, None, MOST - i % 3, LEAST + i, i << 17],
            b"\0\4\0\0\0",
        )
        for i in range(200)
    ]
    for data, held in _sealed(rows):
        assert held == rows
        assert decode(data).rows == held


def test_damage_with_a_right_check_sum_ends_as_with_the_plain_kernel(sped_up):
    dice = random.Random(2)
    for _, rows in adversaries(25, seed=5):
        data = bytearray(_sealed(rows)[1][0])
        data[dice.randrange(7, len(data) - 4)] ^= 1 << dice.randrange(8)
        data[-4:] = crc32(bytes(data[:-4])).to_bytes(4, "big")
        found = [_end(bytes(data), reader) for reader in (fast.FastReader, Reader)]
        assert found[0] == found[1]


def _end(data, reader):
    Decoded.reader = reader
    try:
        return decode(data).rows
    except BadBlock:
        return "bad"


def test_many_blocks_are_noticed_once(monkeypatch):
    started = []
    monkeypatch.setattr(fast.Thread, "start", lambda thread: started.append(thread.name))
    pace = fast.Pace(100)
    for _ in range(5):
        pace.count(40)
    assert started == ["codec"]


def test_without_numba_the_plain_kernel_stays(monkeypatch):
    monkeypatch.setattr(fast, "_compiled", lambda: None)
    before = Decoded.reader
    assert not fast.speed_up()
    assert Decoded.reader is before
