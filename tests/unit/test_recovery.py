"""agent/recovery.py on a ground in memory: what a start makes of what it finds."""

from agent.journal import Journal
from agent.record import BLOCK, EVENT, check_record, pack_record, record_length
from tests.fakes.memory_ground import MemoryGround
from tests.unit.journals import block_of, fill, put, read_all, start_on


def test_after_rot_in_the_last_save_no_number_is_used_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for i in range(5):
        put(journal, "record %d" % i)
    journal.sync()
    rotten = bytearray(ground.slots["base"])
    rotten[-3] ^= 1
    ground.slots["base"] = bytes(rotten)
    journal, recovery = start_on(ground.cut())
    assert recovery.next > 5 and recovery.torn == 1
    put(journal, "after")
    journal.sync()
    held = read_all(journal)
    assert held[4][:1] == (5,) and held[4][2] == "damage" and held[5][1] == b"after"


def test_open_blocks_come_back_with_the_time_last_known_alive():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "not synced")
    journal.save_open(1700000000123, [(0, b"-first-", 1, 6), (3, b"x" * 3999, 0, 3999)])
    journal, recovery = start_on(ground.cut())
    assert recovery.opens == [(0, b"first"), (3, b"x" * 3999)]
    assert recovery.alive_ms == 1700000000123
    assert read_all(journal) == [(1, b"not synced")]


def test_open_blocks_longer_than_a_page_all_come_back():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    opens = [(meter, b"%02d" % meter * (400 + meter)) for meter in range(20)]
    journal.save_open(0, [(m, data, 0, len(data)) for m, data in opens])
    journal, recovery = start_on(ground.cut())
    assert recovery.opens == opens and recovery.torn == 0


def test_the_time_last_alive_is_not_ahead_of_the_open_blocks_that_could_be_saved():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(1700000000000, [(0, b"first", 0, 5)])
    ground.fail = 2
    journal.save_open(1700000060000, [(0, b"second", 0, 6)])  # in vain
    ground.fail = 0
    journal.housekeep(1_000_000, True)
    put(journal, "goes on")
    journal.sync()
    _, recovery = start_on(ground.cut())
    assert (recovery.opens, recovery.alive_ms) == ([(0, b"first")], 1700000000000)


def test_an_unset_clock_does_not_forget_the_last_good_time():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(1700000000123, [])
    journal.save_open(0, [])
    assert start_on(ground.cut())[1].alive_ms == 1700000000123


def test_a_clock_that_was_set_back_is_believed_by_the_next_start():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "a")
    journal.save_open(1700500000000, ())  # days ahead, for an hour
    put(journal, "b")
    journal.sync()  # in another slot, which is not written again
    put(journal, "the clock was set back")
    journal.save_open(1700000000000, ())
    for _ in range(3):  # each start writes a mark of its own
        ground = ground.cut()
        assert start_on(ground)[1].alive_ms == 1700000000000


def test_a_sealed_block_makes_its_saved_open_block_stale():
    for acknowledged in (False, True):
        for big in (0, 9, 20):  # a block in the tail, in the last segment, in the one before
            ground = MemoryGround()
            journal, _ = start_on(ground)
            journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
            put(journal, block_of(1), BLOCK)
            if big:  # the block leaves the tail in a segment, no slot is written after it
                for _ in range(big):
                    put(journal, b"e" * 500)
                journal.housekeep(0, True)
                assert len(journal.segments) == big // 8
            else:
                journal.sync()
            if acknowledged:
                journal.trim_through(journal.journal_id, 1)
                put(journal, "next")
                journal.sync()
            assert start_on(ground.cut())[1].opens == [(2, b"two")]


def test_a_stale_open_block_stays_stale_after_further_starts():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
    put(journal, block_of(1), BLOCK)
    journal.sync()
    journal.trim_through(journal.journal_id, 1)
    for life in range(4):  # each start writes a mark of its own, each sync all the others
        ground = ground.cut()
        journal, recovery = start_on(ground)
        assert recovery.opens == [(2, b"two")], life
        put(journal, "event")
        journal.sync()
        journal.trim_through(journal.journal_id, journal.durable)
        put(journal, "event")
        journal.sync()


def test_what_was_acknowledged_in_ram_is_not_declared_lost_behind_a_segment():
    for count, behind in ((1, 9), (2, 9), (5, 9), (1, 40), (5, 40)):
        ground = MemoryGround()
        journal, _ = start_on(ground)
        for _i in range(count):
            put(journal, b"a" * 500)
        journal.sync()
        journal.trim_through(journal.journal_id, count)
        for _i in range(behind):  # 9: a segment in a quiet moment; 40: the tail is full before
            put(journal, b"b" * 500)
        while not journal.segments:
            before = ground.writes
            journal.housekeep(0, True)
            assert ground.writes - before <= 2, "one thing at a time: the mark, then the segment"
        journal, _ = start_on(ground.cut())
        held = read_all(journal)
        assert held and not [entry for entry in held if len(entry) == 3], held


def test_a_block_that_was_not_durable_leaves_its_open_block_good():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(1, b"one", 0, 3)])
    put(journal, block_of(1), BLOCK)
    assert start_on(ground.cut())[1].opens == [(1, b"one")]


def test_the_open_block_after_a_seal_is_good_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(1, b"one", 0, 3)])
    put(journal, block_of(1), BLOCK)
    journal.save_open(0, [(1, b"new", 0, 3)])
    put(journal, "event")
    journal.sync()
    assert start_on(ground.cut())[1].opens == [(1, b"new")]


def test_a_flash_that_cannot_be_read_at_start_is_not_overwritten():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "kept")
    journal.sync()
    ground.fail = 1000000
    blind, _ = start_on(ground)
    assert blind.degraded
    put(blind, "in RAM")
    ground.fail = 0
    blind.sync()
    blind.housekeep(0, True)
    assert blind.degraded and read_all(blind) == []
    assert read_all(start_on(ground.cut())[0]) == [(1, b"kept")]


def test_one_error_at_the_start_is_counted_and_overcome():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "kept")
    journal.sync()
    ground = ground.cut()
    ground.fail = 1
    journal, _ = start_on(ground)
    assert not journal.degraded and read_all(journal) == [(1, b"kept")]
    assert journal.errors == 1 and ground.recovered == 1


def test_records_of_another_journal_in_a_slot_are_passed_over():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "ours")
    journal.sync()
    other = MemoryGround()
    foreign = Journal(other, lambda: 99, 16 * 4096)
    foreign.start()
    for _ in range(5):
        put(foreign, "theirs")
    foreign.sync()
    ground.slots["delta"] = other.slots["base"]
    again, _ = start_on(ground.cut())
    assert read_all(again) == [(1, b"ours")] and again.next == 2


def test_damage_in_the_mark_costs_no_number_and_no_open_block():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "one")
    journal.save_open(0, [(1, b"open", 0, 4)])
    mark = bytearray(ground.slots["mark"])
    mark[10] ^= 1
    ground.slots["mark"] = bytes(mark)
    again, found = start_on(ground.cut())
    assert found.torn == 1 and found.opens == [(1, b"open")] and again.next == 2


def test_damage_among_older_segments_puts_the_open_blocks_in_doubt():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(1, b"open", 0, 4)])
    for i in range(60):
        put(journal, b"%d" % i + b"." * 300)
    put(journal, b"?", BLOCK)  # too short to say of which meter it is
    journal.sync()
    assert len(journal.segments) > 2
    number = journal.segments[1]
    data = bytearray(ground.files[number])
    for at in range(400):  # the header of its second record, and more
        data[330 + at] ^= 0xFF
    again_ground = ground.cut()
    again_ground.files[number] = bytes(data)
    assert start_on(ground.cut())[1].opens == [(1, b"open")]
    again, found = start_on(again_ground)
    assert found.opens == [] and found.in_doubt
    again.sync()  # from now on they are stale, also for whoever finds no damage any more
    healed = again_ground.cut()
    healed.files[number] = ground.files[number]
    assert start_on(healed)[1].opens == []


def test_what_a_segment_has_is_not_in_the_tail_as_well():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _ in range(7):
        put(journal, b"e" * 500)
    journal.sync()
    slots = dict(ground.slots)
    assert not ground.files and b"e" * 500 in slots["base"]
    for _ in range(2):
        put(journal, b"e" * 500)
    journal.housekeep(0, True)
    assert len(ground.files) == 1
    again = ground.cut()
    again.slots = slots  # power went before they were written anew
    journal, _ = start_on(again)
    assert journal.tail.first == 0 and len(read_all(journal)) == 7


def test_a_segment_that_power_left_empty_is_removed_and_its_number_used_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    fill(journal, 1, 900)
    journal.sync()
    held = read_all(journal)
    ground = ground.cut()
    ground.files[journal.next] = b""
    again, _ = start_on(ground)
    assert again.next == journal.next and read_all(again) == held
    assert journal.next not in ground.files and journal.next not in again.segments


def test_a_start_with_smaller_segments_keeps_what_larger_ones_held():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for number in range(4):
        put(journal, b"%d" % number * 700)
    journal.sync()
    held = read_all(journal)
    assert len(held) == 4 and not ground.files
    smaller = ground.cut()
    smaller.segment_size = 2048
    again, _ = start_on(smaller)
    assert read_all(again) == held
    again.sync()
    assert smaller.files, "what is too long for the tail goes into a segment"
    assert read_all(again) == held and read_all(start_on(smaller.cut())[0]) == held


def test_open_blocks_come_back_wherever_the_page_that_is_read_cuts_them():
    for before in range(296, 372, 3):
        ground = MemoryGround()
        journal, _ = start_on(ground)
        opens = [(0, b"a" * before), (1, b"b" * 3999), (2, b"c")]
        journal.save_open(0, [(m, data, 0, len(data)) for m, data in opens])
        _, recovery = start_on(ground.cut())
        assert recovery.opens == opens and recovery.torn == 0, before


def test_only_a_block_makes_an_open_block_stale():
    for in_segment in (False, True):
        ground = MemoryGround()
        journal, _ = start_on(ground)
        journal.save_open(0, [(1, b"one", 0, 3)])
        put(journal, block_of(1), EVENT)
        put(journal, block_of(1)[:5], BLOCK)  # too short to say of which meter it is
        for _ in range(20 if in_segment else 1):
            put(journal, b"e" * 500)
        journal.sync()
        assert bool(ground.files) == in_segment
        assert start_on(ground.cut())[1].opens == [(1, b"one")]
        put(journal, block_of(1)[:6], BLOCK)
        journal.sync()
        assert start_on(ground.cut())[1].opens == []


def test_the_last_segment_stays_when_the_slots_behind_it_are_gone():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    fill(journal, 1, 900)
    ground = ground.cut()
    ground.slots = {"mark": ground.slots["mark"]}
    again, recovery = start_on(ground)
    assert again.tail.first == 0 and recovery.next == 5
    for _ in range(3):
        again.housekeep(0, True)
    assert [seq for seq, _ in read_all(again)] == [1, 2, 3, 4] and len(ground.files) == 1
    again.trim_through(again.journal_id, 4)
    for _ in range(3):
        again.housekeep(0, True)
    assert not ground.files and read_all(again) == []


def test_a_journal_that_is_blind_stays_so_and_writes_nothing_until_the_next_start():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "kept")
    journal.sync()
    slots = dict(ground.slots)
    ground.fail = 4  # both tries, and what follows an error
    blind, _ = start_on(ground)
    ground.fail = 0
    assert blind.blind and blind.degraded
    for now_ms in range(0, 10_000_000, 500_000):
        put(blind, "in RAM")
        blind.sync()
        blind.save_open(0, [(1, b"open", 0, 4)])
        blind.housekeep(now_ms, True)
    assert blind.degraded and ground.slots == slots and not ground.files


def test_rot_at_the_end_of_the_last_segment_is_declared_up_to_the_tail():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    fill(journal, 1, 900)
    (number,) = ground.files
    assert number == 1 and journal.tail.first == 5
    rotten = bytearray(ground.files[1])
    rotten[-3] ^= 4  # in the last record, 4
    ground.files[1] = bytes(rotten)
    journal._window.forget()
    assert [row[:2] for row in read_all(journal)][3:] == [(4, 4), (5, b"x" * 900)]
    again, recovery = start_on(ground.cut())
    assert recovery.in_doubt
    assert [row[:2] for row in read_all(again)][3:5] == [(4, 4), (5, b"x" * 900)]


def test_the_number_of_a_record_that_rotted_behind_all_others_is_not_used_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    fill(journal, 1, 900)
    rotten = bytearray(ground.files[1])
    rotten[-3] ^= 4
    ground.files[1] = bytes(rotten)
    ground.slots = {"mark": ground.slots["mark"]}
    journal, recovery = start_on(ground.cut())
    assert recovery.next > 4 and recovery.in_doubt and recovery.torn == 1


def test_a_mark_of_the_next_life_goes_on_saying_which_open_blocks_are_stale():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
    put(journal, block_of(1), BLOCK)
    journal.sync()
    ground = ground.cut()
    assert start_on(ground)[1].opens == [(2, b"two")]
    mark = ground.slots["mark"]
    _, _, _, start, end = check_record(mark, 0, record_length(mark, 0, len(mark)))
    assert mark[start + 20 : end] == b"\x01"


def test_a_block_too_short_for_its_meters_number_says_of_none():
    for in_segment in (False, True):
        ground = MemoryGround()
        journal, _ = start_on(ground)
        opens = [(meter, b"x") for meter in range(250)]  # one of them as the check sum behind it
        journal.save_open(0, [(meter, data, 0, 1) for meter, data in opens])
        for i in range(9):
            put(journal, bytes((1, 9, 9, 9, i)), BLOCK)
        for _ in range(20 if in_segment else 1):
            put(journal, b"e" * 500)
        journal.sync()
        assert bool(ground.files) == in_segment
        assert start_on(ground.cut())[1].opens == opens


def test_damage_is_counted_and_costs_no_number_more_than_it_may_hide():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for i in range(5):
        put(journal, "record %d" % i)  # 24 bytes each
    journal.sync()
    rotten = bytearray(ground.slots["base"])
    at = len(rotten) - 3 * 24  # of record 3
    rotten[at + 14] ^= 1
    ground.slots["base"] = bytes(rotten)
    again, recovery = start_on(ground.cut())
    assert (recovery.torn, again.damaged_places, recovery.next) == (1, 1, 7)
    assert [row[:2] for row in read_all(again)][:5] == [
        (1, b"record 0"),
        (2, b"record 1"),
        (3, 3),
        (4, b"record 3"),
        (5, b"record 4"),
    ]
    rotten = bytearray(ground.slots["base"])
    rotten[-3] ^= 1  # and the last one: one number at most is in 24 bytes
    ground.slots["base"] = bytes(rotten)
    again, recovery = start_on(ground.cut())
    assert (recovery.torn, again.damaged_places, recovery.next) == (2, 2, 8)


def test_a_byte_too_many_hides_no_record():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "one")
    put(journal, "two")
    journal.sync()
    base = ground.slots["base"]
    for at in (len(base), len(base) - 19, len(base) - 38):  # 16 + 3 bytes each
        for stray in (b"\0", b"\xff", b"\xe5"):
            ground.slots["base"] = base[:at] + stray + base[at:]
            again, recovery = start_on(ground.cut())
            assert [row[:2] for row in read_all(again)][:2] == [(1, b"one"), (2, b"two")]
            assert (recovery.torn, recovery.next) == (1, 3), (at, stray)


def test_a_block_in_a_segment_makes_an_open_block_stale_without_any_mark():
    for behind in (8, 20):  # it is in the last segment, in one before
        ground = MemoryGround()
        journal, _ = start_on(ground)
        journal.save_open(0, [(7, b"seven", 0, 5), (9, b"nine", 0, 4)])
        slots = dict(ground.slots)
        for _ in range(5):
            put(journal, b"e" * 500)
        put(journal, block_of(9), BLOCK)
        for _ in range(behind):
            put(journal, b"e" * 500)
            journal.housekeep(0, True)
        assert len(ground.files) == (1 if behind == 8 else 3)
        again = ground.cut()
        again.slots = slots  # no slot was written since
        assert start_on(again)[1].opens == [(7, b"seven")]


def test_the_open_block_that_follows_a_sealed_one_at_once_is_good():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "event")
    put(journal, block_of(9), BLOCK)
    journal.save_open(0, [(9, b"newer", 0, 5)])
    for _ in range(25):
        put(journal, b"e" * 500)
        journal.housekeep(0, True)
    assert len(ground.files) > 2
    assert start_on(ground.cut())[1].opens == [(9, b"newer")]


def test_a_start_that_failed_half_way_begins_anew():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for i in range(5):
        put(journal, "record %d" % i)
    journal.sync()
    rotten = bytearray(ground.slots["base"])
    rotten[-3] ^= 1
    ground.slots["base"] = bytes(rotten)

    class Once(MemoryGround):
        is_broken = True

        def load(self, slot, out, at=0):
            if slot == "open" and self.is_broken:
                self.is_broken = False
                raise OSError(5, "EIO")
            return super().load(slot, out, at)

    wanted, found = start_on(ground.cut())
    broken = Once()
    broken.slots = dict(ground.slots)
    again, found_again = start_on(broken)
    assert not again.degraded and again.errors == 1
    assert found_again.next == found.next and again.tail.fill == wanted.tail.fill
    assert read_all(again) == read_all(wanted)


def test_a_last_segment_of_which_nothing_is_good_keeps_its_number_from_being_used_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    while len(ground.files) < 6:
        put(journal, b"x" * 900)
        journal.housekeep(0, True)
    last = journal.segments[-1]
    again = ground.cut()
    again.files[last] = b"\x5a" * 64
    again.slots = {}
    journal, found = start_on(again)
    assert found.in_doubt and found.next > last
    assert put(journal, "new") > last


def test_the_tail_keeps_records_of_which_their_segment_lost_all():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for i in range(7):
        put(journal, b"%d" % i * 500)
        journal.sync()
    slots = dict(ground.slots)
    for _ in range(2):
        put(journal, b"e" * 500)
    journal.housekeep(0, True)
    assert list(ground.files) == [1]
    again = ground.cut()
    again.slots = slots
    again.files[1] = b"\x5a" * len(ground.files[1])
    journal, _ = start_on(again)
    assert read_all(journal)[0] == (1, b"0" * 500)


def test_what_is_behind_a_foreign_record_is_taken():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "one")
    journal.sync()
    put(journal, "two")
    journal.sync()
    out = bytearray(64)
    length = pack_record(out, EVENT, 9, 99, b"theirs", 0, 6)
    ground.slots["delta"] = bytes(out[:length]) + ground.slots["delta"]
    again, found = start_on(ground.cut())
    assert read_all(again) == [(1, b"one"), (2, b"two")] and found.torn == 0


def test_what_two_slots_hold_is_taken_once_and_what_is_acknowledged_not_at_all():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for text in ("one", "two", "three"):
        put(journal, text)
        journal.sync()
    journal.save_open(0, [(1, b"open", 0, 4)])
    held = b"".join([ground.slots[slot] for slot in ("base", "delta", "open")])
    assert held.count(b"three") > 1
    again, _ = start_on(ground.cut())
    assert again.tail.fill == journal.tail.fill and again.tail.last_in(again.tail.fill) == 3
    journal.trim_through(journal.journal_id, 3)
    journal.save_open(0, [(1, b"open", 0, 4)])
    assert start_on(ground.cut())[0].tail.fill == 0


def test_of_two_times_last_alive_that_of_the_higher_number_counts_and_else_the_later():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "a")
    journal.save_open(1700500000000, ())  # days ahead
    put(journal, "b")
    journal.sync()
    older = ground.slots["base"]
    journal.save_open(1700000000000, ())
    put(journal, "c")
    journal.renew()
    ground.slots["base"] = older
    del ground.slots["open"]
    assert start_on(ground.cut())[1].alive_ms == 1700000000000
    journal.save_open(1700500000000, ())
    journal.renew()
    journal.save_open(1700000000000, ())  # no number since
    assert start_on(ground.cut())[1].alive_ms == 1700500000000
