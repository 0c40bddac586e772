"""Blocks come back exactly, and damage is always noticed."""

import sys
from binascii import crc32

from agent.codec import BadBlock, Block, check, decode
from tests.fakes.codec_vectors import GOLDEN, HASH, OLD, PACKED, ROWS, Dice, day, noise


def _block(clock=1, rows=ROWS, size=256):
    block = Block(3, size)
    block.open(HASH, 2, clock, 0xFEDCBA98)
    for row in rows:
        assert block.add(*row)
    return block


def _sealed(block):
    return bytes(block.data[: block.seal()])


def test_rows_come_back_exactly():
    for clock, boot in ((1, 0), (0, 0xFEDCBA98)):
        found = decode(_sealed(_block(clock)))
        assert (found.config_hash, found.meter, found.clock) == (HASH, 2, clock)
        assert (found.version, found.boot) == (4, boot), "boot is kept where it dates the rows"
        assert tuple(found.rows) == ROWS


def test_a_long_block_comes_back_exactly():
    for seed in (1, 2):
        rows = day(300, seed)
        assert decode(_sealed(_block(1, rows, 4000))).rows == rows


def test_a_block_of_no_points_keeps_its_times():
    block = Block(0, 64)
    block.open(HASH, 0, 2, 0)
    times = (5000, 6000, 6000, 1000, (1 << 62) // 1000 * 1000)
    for at_ms in times:
        assert block.add(at_ms, (), b"")
    assert [row[0] for row in decode(_sealed(block)).rows] == list(times)


def test_whole_seconds_may_cease():
    times = (5000, 15000, 25001, 35000, 35999)
    block = Block(1, 200)
    for _ in range(2):
        block.open(HASH, 0, 1, 0)
        for at_ms in times:
            assert block.add(at_ms, (1,), b"\0")
        assert [row[0] for row in decode(_sealed(block)).rows] == list(times)


def test_version_1_still_decodes():
    data = (
        b"\x01abcd\x00\x01\x00\x00\x00\x07\x00\x00\x00\x00\x00\x00\x03\xe8\x00\x01\x01\x00\x01\x06"
    )
    data += (crc32(data) & 0xFFFFFFFF).to_bytes(4, "big")
    found = decode(data)
    assert (found.version, found.boot, found.rows) == (1, 7, [(1000, [3], b"\x00")])


def test_every_flipped_bit_and_every_cut_is_noticed():
    good = _sealed(_block())
    damaged = [good[:n] for n in range(len(good))]
    for i in range(len(good) * 8):
        bad = bytearray(good)
        bad[i >> 3] ^= 1 << (i & 7)
        damaged.append(bytes(bad))
    for data in damaged:
        try:
            decode(data)
        except BadBlock:
            continue
        raise AssertionError("accepted damage")


def test_wrong_bytes_with_a_right_check_sum_end_in_bad_block_or_rows():
    good = _sealed(_block(1, day(20, 3), 400))
    dice = Dice(5)
    for _ in range(60):
        bad = bytearray(good[:-4])
        for _ in range(1 + dice.below(4)):
            bad[1 + dice.below(len(bad) - 1)] = dice.below(256)
        bad[6] &= 15  # points: what a small heap can read
        bad += (crc32(bytes(bad)) & 0xFFFFFFFF).to_bytes(4, "big")
        try:
            decode(bytes(bad))
        except BadBlock:
            pass


def test_a_full_block_refuses_and_stays_whole():
    for size in (128, 200, 400):
        block = Block(3, size)
        block.open(HASH, 0, 1, 1)
        dice = Dice(size)
        rows = []
        while True:
            row = (len(rows) * 1000, [dice.below(9999), 1, None], bytes((0, 0, 1)))
            if not block.add(*row):
                break
            rows.append(row)
        assert not block.add(*row), "and goes on refusing"
        alone = Block(3, size)
        alone.open(HASH, 0, 1, 1)
        for each in rows:
            assert alone.add(*each)
        length = block.seal()
        assert len(rows) > 2 and size - 10 < length <= size
        assert decode(bytes(block.data[:length])).rows == rows
        assert bytes(block.data[:length]) == _sealed(alone), "as if none had been refused"


def test_a_carry_of_the_refused_row_is_taken_back():
    for seed in range(40):
        block = Block(1, 64)
        block.open(HASH, 0, 1, 1)
        dice = Dice(seed)
        rows = []
        while block.add(len(rows) * 1000, [dice.below(30)], b"\0"):
            dice = Dice(seed + len(rows) + 1)
            rows.append(None)
        assert len(decode(_sealed(block)).rows) == len(rows)


def test_a_block_closed_on_the_way_goes_on_as_if_nothing_had_happened():
    rows = day(60, 4)
    alone = _sealed(_block(1, rows, 1024))
    block = Block(3, 1024)
    block.open(HASH, 2, 1, 0)
    for i, row in enumerate(rows):
        assert block.add(*row)
        start, end = block.close()
        so_far = bytes(block.data[start:end])
        check(so_far)
        assert decode(so_far).rows == rows[: i + 1]
    assert _sealed(block) == alone


def test_steps_of_time_of_every_size_come_back():
    for unit_ms in (1, 1000):
        for step in (1, 59_999, 2**21 - 1, 2**21, 3_600_000, 2**22 - 1, 2**22, 2**23, 86_400_000):
            block = Block(1, 512)
            block.open(b"1234", 0, 1, 0)
            rows = []
            at_ms = 1790000000000 + unit_ms % 1000
            for i in range(9):
                assert block.add(at_ms, (i % 3,), bytes(1))
                rows.append(at_ms)
                at_ms += step * unit_ms if i != 5 else 7 * unit_ms
            found = decode(bytes(block.data[: block.seal()])).rows
            assert [row[0] for row in found] == rows, (unit_ms, step)


def test_older_versions_still_decode():
    for rows, version, golden in OLD:
        found = decode(bytes.fromhex(golden))
        assert (found.version, found.rows) == (version, rows)


def test_version_4_still_gives_and_reads_the_same_bytes():
    for rows, clock, golden in GOLDEN:
        data = bytes.fromhex(golden)
        block = Block(len(rows[0][1]), 1024)
        block.open(HASH, 2, clock, 0xFEDCBA98)
        for row in rows:
            assert block.add(*row)
        assert _sealed(block) == data
        assert decode(data).rows == list(rows)


def test_packed_blocks_still_give_and_read_the_same_bytes():
    for rows, clock, golden in PACKED:
        data = bytes.fromhex(golden)
        block = Block(3, 1024)
        block.open(HASH, 2, clock, 0xFEDCBA98)
        for row in rows:
            assert block.add(*row)
        start, end = block.close()
        assert end - start > len(data)
        assert _sealed(block) == data
        found = decode(data)
        assert (found.version, found.rows) == (5, rows)


def test_a_block_after_a_packed_one_is_as_after_any_other():
    blocks = [Block(3, 1024), Block(3, 1024)]
    for number in range(4):
        made = []
        for block in blocks:
            block.open(HASH, 2, 1, 0)
            for row in day(60, 4) if number == 3 else noise(30, 1000, number > 1):
                assert block.add(*row)
        start, end = blocks[1].close()  # as it is, where the other is packed
        made = [bytes(blocks[1].data[start:end]), _sealed(blocks[0])]
    assert made[0] == made[1]


def test_a_block_that_cannot_be_packed_for_want_of_memory_stays_as_it_is():
    class Full:
        def pack(self, *_):
            raise MemoryError

    rows = PACKED[0][0]
    block = Block(3, 1024)
    for version in (4, 5):
        block.open(HASH, 2, 1, 0)
        for row in rows:
            assert block.add(*row)
        if version == 4:
            sys.modules["agent.codec_packed"] = Full()
        found = decode(_sealed(block))
        assert (found.version, found.rows) == (version, rows)


def test_a_row_that_did_not_fit_does_not_hide_that_packed_bits_take_less():
    dice = Dice(5)
    rows = [(1000 * i, [dice.below(256) for _ in range(4)], bytes(4)) for i in range(200)]
    block = Block(4, 600)
    block.open(HASH, 2, 1, 0)
    count = 0
    while block.add(*rows[count]):
        count += 1
    for far in (1 << 20, 1 << 60, None):
        block.open(HASH, 2, 1, 0)
        for row in rows[: count - 1]:
            assert block.add(*row)
        at_ms = 1000 * count + (1 << 40 if far is None else 0)
        assert not block.add(at_ms, [1, 2, far, 255], bytes((0, 0, far is None, 0)))
        found = decode(_sealed(block))
        assert (found.version, found.rows) == (5, rows[: count - 1])


def test_meters_that_write_in_turns_do_not_disturb_each_other():
    dice = Dice(12)
    blocks = [Block(points, 256) for points in (1, 3, 2)]
    rows = [[], [], []]
    for _ in range(400):
        which = dice.below(3)
        block = blocks[which]
        points = (1, 3, 2)[which]
        values = [None if dice.below(20) == 0 else dice.below(9) for _ in range(points)]
        row = (
            1000 * which + 60_000 * (which + 1) * len(rows[which]),
            values,
            bytes(v is None for v in values),
        )
        if not block.count or not block.add(*row):
            if block.count:
                assert decode(_sealed(block)).rows == rows[which]
            block.open(HASH, which, 1, 0)
            rows[which] = []
            assert block.add(*row)
        rows[which].append(row)
    for which in range(3):
        assert decode(_sealed(blocks[which])).rows == rows[which]


def test_what_a_channel_was_seen_to_follow_makes_the_next_block_smaller():
    sizes = []
    block = Block(4, 4000)
    block.open(HASH, 2, 1, 0)
    dice = Dice(6)
    first, second, energy = 900, 300, 7_000_000
    for number in range(8):
        rows = []
        for i in range(100):
            first += dice.below(61) - 30 if dice.below(4) else 0
            second += dice.below(41) - 20 if dice.below(4) else 0
            energy += first * 7
            values = [40 * first, second, 40 * first + second, energy]
            rows.append(((number * 100 + i) * 1000, values, bytes(4)))
            assert block.add(*rows[-1])
        data = _sealed(block)
        assert decode(data).rows == rows
        sizes.append(len(data))
        block.open(HASH, 2, 1, 0)
    assert sizes[-1] < 0.6 * sizes[0], sizes


def test_a_grid_that_values_leave_costs_no_value():
    block = Block(1, 4000)
    block.open(HASH, 2, 1, 0)
    dice = Dice(7)
    for number in range(9):
        rows = []
        for i in range(60):
            value = 40 * dice.below(500) + 3 + (1 if number > 6 and i > 30 else 0)
            rows.append(((number * 100 + i) * 1000, [value], bytes(1)))
            assert block.add(*rows[-1])
        data = _sealed(block)
        if number == 0:
            first = len(data)
        if number == 6:
            assert len(data) < 0.75 * first
        assert decode(data).rows == rows
        block.open(HASH, 2, 1, 0)
