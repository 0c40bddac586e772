"""agent/ring.py on a simulated flash: what it keeps, what wears, what it does when flash fails."""

# Two whole flashes and their journals:
# heap: 1m

from binascii import crc32
from errno import EIO

from agent.heads import REMOVED, Heads
from agent.journal import Journal
from agent.record import EVENT
from agent.ring import Ring
from tests.fakes.nor_flash import Noise, NorFlash, PowerCut

_OUT = bytearray(8000)
_BLOCKS = 20


def _flash(data=None, unit=32, **settings):
    content = bytearray(b"\xff" * (_BLOCKS * 4096)) if data is None else data
    return NorFlash(content, program_size=unit, **settings)


def _ring(flash):
    ring = Ring(flash, flash.program_size)
    ring.open()
    return ring


def _save(ring, slot, data):
    ring.begin(slot, len(data))
    half = len(data) // 3
    ring.put(data, 0, half)
    ring.put(data, half, len(data))
    ring.commit()


def _load(ring, slot):
    return bytes(_OUT[: ring.load(slot, _OUT)])


def _segment(ring, number):
    return bytes(_OUT[: ring.read_segment(number, _OUT)])


def _text(seed, length):
    return Noise(seed).take(length)


def _errno(work, *args):
    try:
        work(*args)
    except OSError as error:
        return error.errno
    return 0


def test_segments_come_back_in_order_whatever_was_on_the_device_before():
    for unit in (32, 256):
        flash = _flash(bytearray(_text(3, 4096) * _BLOCKS), unit)
        ring = _ring(flash)
        assert ring.segments() == [] and ring.segment_size == 4032
        for number, length in ((300, 4032), (7, 1), (4000000000, 517)):
            ring.write_segment(number, b"." + _text(number & 7, length), 1, 1 + length)
        for found in (ring, _ring(flash)):
            assert found.segments() == [7, 300, 4000000000]
            assert _segment(found, 300) == _text(4, 4032)
            assert _segment(found, 4000000000) == _text(0, 517)
            assert _segment(found, 8) == b""
        ring.remove_segment(7)
        before = flash.operations
        ring.remove_segment(7)
        assert flash.operations == before, "it is gone: nothing is written anywhere"
        assert ring.segments() == _ring(flash).segments() == [300, 4000000000]


def test_a_slot_holds_its_last_whole_save_of_any_length():
    for unit in (32, 256):
        flash = _flash(unit=unit)
        ring = _ring(flash)
        assert _load(ring, "open") == b""
        for i in range(60):
            text = _text(i, (5, 300, 4032, 4033, 7777, 1, 1000)[i % 7])
            _save(ring, "open", text)
            _save(ring, "mark", b"mark %d" % i)
            if i % 4 == 3:
                ring = _ring(flash)
            assert _load(ring, "open") == text and _load(ring, "mark") == b"mark %d" % i
        assert _load(_ring(flash), "open") == text


def test_a_long_slot_is_read_from_any_byte_on():
    ring = _ring(_flash())
    text = _text(1, 7000)
    _save(ring, "open", text)
    for at in (0, 1, 4031, 4032, 4033, 6999, 7000):
        out = bytearray(500)
        count = ring.load("open", out, at)
        assert count == min(500, 7000 - at) and bytes(out[:count]) == text[at : at + 500]


def test_a_save_that_was_not_committed_changes_nothing():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "base", b"old")
    for length in (10, 3000, 6000):
        ring.begin("base", length)
        ring.put(_text(1, length), 0, length)
        assert _load(ring, "base") == _load(_ring(flash), "base") == b"old"
    try:
        ring.begin("base", 10)
        ring.commit()
        raise AssertionError("a short save was taken")
    except ValueError as error:
        assert "10 bytes of base are missing" in str(error)


def test_a_short_save_behind_a_long_one_outlives_the_long_ones_first_block():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "open", _text(1, 5000))
    _save(ring, "open", b"short")
    for i in range(_BLOCKS):  # until every free block has been used
        ring.write_segment(i + 1, b"x", 0, 1)
        ring.remove_segment(i + 1)
    assert _load(_ring(flash), "open") == b"short"


def test_blocks_are_taken_in_turn_so_wear_is_level():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "mark", b"stays")
    ring.write_segment(1, b"stays", 0, 5)
    for i in range(400):
        _save(ring, "open", _text(i, 1500))
        if i % 3 == 0:
            ring.write_segment(i + 2, b"goes", 0, 4)
            ring.remove_segment(i + 2)
        if i % 50 == 0:
            ring = _ring(flash)
    for block in range(_BLOCKS):  # the blocks know their own wear
        assert abs(ring.wear[block] - flash.wear[block]) <= 1, (list(ring.wear), flash.wear)
    free = sorted(flash.wear)[4:]
    assert max(free) - min(free) <= 2, flash.wear


def test_a_full_device_says_enospc_and_takes_again_after_a_removal():
    ring = _ring(_flash())
    for number in range(1, _BLOCKS + 1):
        ring.write_segment(number, b"x", 0, 1)
    assert _errno(ring.write_segment, 99, b"x", 0, 1) == 28
    assert _errno(ring.begin, "mark", 5) == 28
    ring.remove_segment(1)
    ring.write_segment(99, b"x", 0, 1)
    assert ring.segments() == list(range(2, _BLOCKS + 1)) + [99]  # noqa: RUF005


def test_a_rotten_head_costs_nothing_for_its_copy_is_good():
    flash = _flash()
    ring = _ring(flash)
    ring.write_segment(5, _text(1, 600), 0, 600)
    for i in range(3):
        _save(ring, "base", _text(i, 400))
    for at in range(0, len(flash.data), 32):
        rotten = bytearray(flash.data)
        if rotten[at : at + 4] != b"EcR1":
            continue
        rotten[at + 17] ^= 0x10
        again = _ring(_flash(rotten))
        assert again.segments() == [5] and _segment(again, 5) == _text(1, 600), at
        assert _load(again, "base") == _text(2, 400), at


def test_erasing_in_advance_leaves_only_programs_to_a_save():
    flash = _flash()
    ring = _ring(flash)
    while ring.prepare():
        pass
    before = flash.erased
    ring.write_segment(1, _text(1, 4032), 0, 4032)
    _save(ring, "mark", b"now")
    assert flash.erased == before
    assert ring.prepare() and flash.erased == before + 4096


def test_a_program_or_erase_that_silently_fails_is_noticed_at_once():
    for at in range(1, 12):
        flash = _flash(bytearray(_text(9, 4096) * _BLOCKS))
        ring = _ring(flash)
        flash.silent_at = at
        assert _errno(ring.write_segment, 1, _text(1, 2000), 0, 2000) == EIO, at
        ring.recover()
        ring.write_segment(1, _text(1, 2000), 0, 2000)
        assert _segment(_ring(flash), 1) == _text(1, 2000), at
        assert _ring(flash).segments() == [1], at


def test_bad_blocks_are_passed_over():
    flash = _flash()
    flash.bad.update((1, 2, 7))
    flash.stuck[5 * 4096 + 40] = (0xFF, 0x55)
    ring = _ring(flash)
    for number in range(1, 13):
        while _errno(ring.write_segment, number, _text(number, 900), 0, 900):
            ring.recover()
    again = _ring(flash)
    assert again.segments() == list(range(1, 13))
    for number in range(1, 13):
        assert _segment(again, number) == _text(number, 900)


def test_a_device_that_was_away_frees_no_segment_and_works_again():
    flash = _flash()
    ring = _ring(flash)
    ring.write_segment(1, b"kept", 0, 4)
    flash.fail_from = 1
    for _ in range(3 * _BLOCKS):
        assert _errno(ring.write_segment, 2, b"x", 0, 1) == EIO
        ring.recover()
    flash.fail_from = 0
    _errno(ring.write_segment, 2, b"x", 0, 1)
    ring.write_segment(2, b"x", 0, 1)
    assert _ring(flash).segments() == [1, 2]


def test_after_a_cut_in_any_operation_of_a_save_the_old_or_the_new_is_there():
    for form in ("clean", "half", "random"):
        for unit in (32, 256):
            for at in range(1, 60):
                flash = _flash(unit=unit)
                ring = _ring(flash)
                _save(ring, "open", b"old")
                flash.cut_at = flash.operations + at
                flash.form = form
                try:
                    _save(ring, "open", _text(2, 4500))
                    break
                except PowerCut:
                    pass
                found = _load(_ring(_flash(flash.data, unit)), "open")
                assert found in {b"old", _text(2, 4500)}, (form, unit, at)
            assert at > 20


def test_a_journal_lives_on_it_and_its_price_is_what_is_claimed():
    flash = _flash()
    journal = Journal(Ring(flash), lambda: 7, 8 * 4032)
    journal.start()
    payload = _text(4, 512)
    for i in range(350):
        if i == 50:  # what is erased in advance is there, the oldest segments begin to go
            programmed, erased = flash.programmed, flash.erased
        journal.append(EVENT, payload, 0, 512)
        journal.housekeep(0, True)
    assert (flash.programmed - programmed) / (300 * 512) < 1.10
    assert (flash.erased - erased) / (300 * 512) < 1.20


class _Refusing(NorFlash):
    """A device that answers an erase with a number instead of raising, as partitions do."""

    refuses = 0

    def ioctl(self, op, argument):
        if op == 6 and self.refuses:
            self.refuses -= 1
            return -5
        return super().ioctl(op, argument)


def test_an_erase_that_is_refused_with_a_number_is_an_error():
    flash = _Refusing(bytearray(b"\xff" * (_BLOCKS * 4096)))
    ring = _ring(flash)
    flash.refuses = 1
    assert _errno(ring.write_segment, 5, _text(1, 100), 0, 100) == EIO
    ring.recover()
    ring.write_segment(5, _text(1, 100), 0, 100)
    assert _segment(ring, 5) == _text(1, 100)
    flash.refuses = 1
    for pieces in (_BLOCKS - 2, _BLOCKS - 3):  # one is bad, one is live; the first found another
        for _ in range(pieces):
            assert ring.scrub()
        assert not ring.scrub()
    assert _segment(ring, 5) == _text(1, 100)


def test_blocks_are_erased_in_advance_for_the_longest_save_so_far():
    flash = _flash()
    ring = _ring(flash)
    assert not ring.is_ready
    while ring.prepare():
        pass
    assert ring.is_ready
    _save(ring, "open", _text(2, 9000))  # three blocks
    while ring.prepare():
        pass
    assert ring.is_ready
    before = sum(flash.wear)
    ring.renew()
    _save(ring, "open", _text(3, 9000))
    assert sum(flash.wear) == before and _load(ring, "open") == _text(3, 8000)[:8000]


def test_a_ring_that_is_opened_again_owns_no_block_twice_and_forgets_none():
    flash = _flash()
    ring = Ring(flash, 32)
    for _ in range(2 * _BLOCKS):  # each time two blocks are erased in advance
        ring.open()
        while ring.prepare():
            pass
    ring.open()
    number = 0
    while number < ring.room:
        number += 1
        ring.write_segment(number, _text(number, 900), 0, 900)
        ring.prepare()
    for found in (ring, _ring(flash)):
        for i in range(1, number + 1):
            assert _segment(found, i) == _text(i, 900), i


def test_a_save_behind_a_long_one_counts_from_its_head_on():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "open", _text(1, 4033 + 32))
    block, at = ring._next["open"]
    _save(ring, "open", b"short")
    foot = block * 4096 + at + 64
    data = bytearray(flash.data)
    assert data[foot : foot + 4] == data[foot - 64 : foot - 60] == b"EcR1"
    data[foot : foot + 32] = b"\xff" * 32  # power went before it
    assert _load(_ring(_flash(data)), "open") == b"short"


def test_saves_that_are_begun_and_left_cost_no_block():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "base", _text(1, 5000))
    for i in range(6 * _BLOCKS):
        ring.begin("open", 3000 + 40 * i)
        ring.put(_text(i & 7, 2000), 0, 2000)
        if i % 3 == 0:
            ring.recover()
    _save(ring, "open", _text(2, 6000))
    ring.begin("open", 9000)
    ring.put(_text(3, 5000), 0, 5000)
    for number in range(1, ring.room + 1):
        ring.write_segment(number, b"x", 0, 1)
    for found in (ring, _ring(flash)):
        assert _load(found, "base") == _text(1, 5000) and _load(found, "open") == _text(2, 6000)


def test_only_what_has_its_magic_its_kind_and_its_check_sum_is_a_head():
    flash = _flash()
    heads = Heads(flash, 32)
    for what, is_head in ((0, False), (1, True), (5, True), (6, False)):
        heads.pack(0, what, 0, 1, 9, 7, 100, 3)
        good = bytes(heads.data)
        for at in (0, 20, None):
            data = bytearray(good)
            if at == 0:  # another magic, a right check sum
                data[3] ^= 1
                data[24:28] = (crc32(bytes(data[:24])) & 0xFFFFFFFF).to_bytes(4, "big")
            elif at:
                data[at] ^= 1
            flash.data[4096 : 4096 + 32] = data
            assert bool(heads.look(1)) == (is_head and at is None), (what, at)


def test_a_segment_that_failed_gives_its_block_back():
    flash = _flash()
    ring = _ring(flash)
    for number in range(4 * _BLOCKS):
        flash.fail_at = flash.operations + 2 + number % 2  # not the erase
        assert _errno(ring.write_segment, 2, _text(1, 300), 0, 300) == EIO, number
        ring.recover()
    ring.write_segment(2, _text(1, 300), 0, 300)
    assert _segment(_ring(flash), 2) == _text(1, 300)


def test_a_segment_is_removed_when_most_of_its_word_is():
    heads = Heads(_flash(), 32)
    for bits, is_removed in ((0, True), (15, True), (16, False), (32, False)):
        heads.data[REMOVED : REMOVED + 4] = ((1 << bits) - 1).to_bytes(4, "big")
        assert heads.is_removed() == is_removed, bits


def test_after_an_error_each_slot_begins_a_block_of_its_own():
    ring = _ring(_flash())
    for slot in ("mark", "base"):
        _save(ring, slot, b"first")
    before = {slot: ring._saved[slot][0][0] for slot in ("mark", "base")}
    _save(ring, "mark", b"second")
    assert ring._saved["mark"][0][0] == before["mark"]
    for fresh, text in ((ring.recover, b"third"), (ring.renew, b"fourth")):
        fresh()
        for slot in ("mark", "base"):
            _save(ring, slot, text)
            assert ring._saved[slot][0][0] != before[slot], slot
            before[slot] = ring._saved[slot][0][0]


def test_a_save_behind_one_that_rotted_is_found():
    for unit in (32, 256):
        flash = _flash(unit=unit)
        ring = _ring(flash)
        places = []
        for text in (b"first", b"second", b"third"):
            _save(ring, "mark", text)
            places.append(ring._saved["mark"][0])
        (block, at, _), (last, _, _) = places[1:]
        assert block == last, "one block has all three"
        for index in range(block * 4096 + at - 32, block * 4096 + at + 64):
            flash.data[index] &= 0x55  # the second one's head, content and foot
        assert _load(_ring(flash), "mark") == b"third"


def test_a_save_that_fills_its_block_to_the_last_byte_goes_there():
    for unit in (32, 256):
        ring = _ring(_flash(unit=unit))
        _save(ring, "mark", b"first")
        block, at = ring._next["mark"]
        _save(ring, "mark", _text(1, 4096 - at - 64))
        assert ring._saved["mark"][0][0] == block and ring._next["mark"] == (block, 4096)
        ring = _ring(_flash(unit=unit))
        _save(ring, "mark", b"first")
        _save(ring, "mark", _text(1, 4096 - at - 63))
        assert ring._saved["mark"][0][0] != block


def test_an_empty_save_is_one():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "open", b"before")
    ring.renew()
    _save(ring, "open", b"")
    for found in (ring, _ring(flash)):
        assert _load(found, "open") == b""


def test_a_ring_that_is_opened_again_goes_on_where_its_round_was():
    flash = _flash()
    ring = _ring(flash)
    for number in (1, 2, 3):
        ring.write_segment(number, b"x", 0, 1)
    ring.open()
    assert ring._cursor == _ring(flash)._cursor == 3
    free = sum([1 for what in ring._what if what == 0])
    erased = ring.erased
    while ring.scrub():
        pass
    assert ring.erased - erased == free == _BLOCKS - 3


def test_what_one_call_may_erase_is_said():
    assert Ring.erases == 1 and not Ring.is_estimate


def test_saves_that_are_left_for_a_segment_cost_no_block():
    ring = _ring(_flash())
    for number in range(3 * _BLOCKS):
        ring.begin("open", 3000)
        ring.put(_text(1, 2000), 0, 2000)
        ring.write_segment(number + 1, b"x", 0, 1)
        ring.remove_segment(number + 1)
    for number in range(1, _BLOCKS + 1):
        ring.write_segment(number, b"x", 0, 1)
    assert ring.segments() == list(range(1, _BLOCKS + 1))


def test_a_save_for_which_the_second_block_is_missing_says_enospc_and_goes_back():
    ring = _ring(_flash())
    for number in range(1, _BLOCKS):
        ring.write_segment(number, b"x", 0, 1)
    ring.begin("open", 6000)
    assert _errno(ring.put, _text(1, 6000), 0, 6000) == 28
    ring.recover()
    ring.write_segment(99, b"x", 0, 1)
    assert len(ring.segments()) == _BLOCKS


def test_a_block_that_held_something_else_is_passed_over_until_all_have_been_tried():
    flash = _flash()
    flash.stuck[2 * 4096 + 40] = (0xFF, 0x55)
    ring = _ring(flash)
    failed = 0
    for number in range(1, 3 * _BLOCKS):
        failed += _errno(ring.write_segment, number, _text(1, 300), 0, 300) == EIO
        ring.remove_segment(number)
    assert failed == 1


def test_the_first_block_is_as_good_as_any():
    ring = _ring(_flash())
    ring.begin("open", 100)
    ring.put(_text(1, 50), 0, 50)
    ring.recover()
    for number in range(1, _BLOCKS + 1):
        ring.write_segment(number, b"x", 0, 1)
    for number in range(1, _BLOCKS + 1):
        ring.remove_segment(number)
    for _ in range(2):
        pieces = 0
        while ring.scrub():
            pieces += 1
        assert pieces == _BLOCKS


def test_a_ring_that_is_opened_on_another_flash_knows_nothing_of_the_first():
    flash = _flash()
    ring = _ring(flash)
    _save(ring, "mark", b"first")
    flash.data[:] = b"\xff" * len(flash.data)
    ring.open()
    assert _load(ring, "mark") == b""
    _save(ring, "mark", b"second")
    assert _load(ring, "mark") == _load(_ring(flash), "mark") == b"second"


def test_what_a_ring_has_room_for_is_said():
    ring = Ring(_flash())
    assert ring.room == _BLOCKS - 10 and ring.small == 1024 and ring.blocks == _BLOCKS
