"""agent/journal.py on a ground in memory: numbers, cuts, losses, stale snapshots, errors."""

import json

from agent.journal import Journal
from agent.record import BLOCK, EVENT, LOST, check_record, find_record, record_length
from agent.tail import Tail
from tests.fakes.memory_ground import MemoryGround

_OUT = bytearray(4096)


def _journal(ground, segments=16):
    journal = Journal(ground, lambda: 0x1234ABCD, segments * 4096)
    return journal, journal.start()


def _put(journal, text, kind=EVENT):
    data = text.encode() if isinstance(text, str) else text
    return journal.append(kind, data, 0, len(data))


def _get(journal, seq):
    found, length = journal.read_from(seq, _OUT)
    if not length:
        return None
    kind, number, _, start, end = check_record(_OUT, 0, length)
    assert number == found
    return kind, found, bytes(_OUT[start:end])


def _all(journal):
    """Read as the uplink does: (number, payload), a LOST as (first, last, why)."""
    seq = journal.first
    result = []
    while True:
        got = _get(journal, seq)
        if got is None:
            return result
        kind, found, payload = got
        assert found >= seq
        if kind == LOST:
            lost = json.loads(payload.decode())
            assert lost["first"] == seq and lost["last"] == found
            result.append((lost["first"], lost["last"], lost["why"]))
        else:
            assert found == seq
            result.append((found, payload))
        seq = found + 1


def test_a_number_is_readable_only_when_it_is_durable():
    journal, _ = _journal(MemoryGround())
    assert _put(journal, "a") == 1
    assert _get(journal, 1) is None and journal.durable == 0
    assert journal.read_from(1, _OUT) == journal.read_from(2, _OUT) == (0, 0)
    journal.sync()
    assert _get(journal, 1) == (EVENT, 1, b"a") and journal.durable == 1


def test_what_was_synced_survives_and_what_was_not_frees_its_number():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "a")
    journal.sync()
    _put(journal, "never seen")
    journal, recovery = _journal(ground.cut())
    assert (recovery.first, recovery.next, journal.journal_id) == (1, 2, 0x1234ABCD)
    assert _put(journal, "b") == 2
    journal.sync()
    assert _all(journal) == [(1, b"a"), (2, b"b")]


def test_records_of_all_sizes_come_back_after_a_cut():
    ground = MemoryGround()
    journal, _ = _journal(ground, 400)
    wanted = []
    for i in range(90):
        payload = bytes([i & 0xFF]) * (4000 if i % 30 == 7 else i * 37 % 700)
        wanted.append((_put(journal, payload), payload))
        if i % 7 == 0:
            journal.sync()
        if i % 3 == 0:
            journal.housekeep(0, True)
    journal.sync()
    assert _all(journal) == wanted
    journal, _ = _journal(ground.cut(), 400)
    assert _all(journal) == wanted


def test_an_acknowledged_record_is_passed_over_and_its_segment_freed():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _i in range(40):
        _put(journal, b"x" * 500)
    journal.sync()
    assert len(ground.files) >= 4
    journal.trim_through(journal.journal_id, 38)
    assert journal.first == 39 and _get(journal, 1)[1] == 39
    for _ in range(20):
        journal.housekeep(0, False)
    assert len(ground.files) >= 4
    for _ in range(20):
        journal.housekeep(0, True)
    assert len(ground.files) == 0
    journal, recovery = _journal(ground.cut())
    assert recovery.first == 39 and recovery.next == 41
    assert [seq for seq, _ in _all(journal)] == [39, 40]


def test_a_word_that_is_foreign_stale_or_ahead_frees_nothing():
    journal, _ = _journal(MemoryGround())
    for _ in range(3):
        _put(journal, "x")
    journal.sync()
    _put(journal, "not durable")
    journal.trim_through(journal.journal_id ^ 1, 2)
    journal.trim_through(journal.journal_id, 4)
    assert journal.acked == 0
    journal.trim_through(journal.journal_id, 2)
    journal.trim_through(journal.journal_id, 1)
    assert journal.acked == 2


def test_acknowledged_at_once_no_segment_is_ever_written():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _i in range(200):
        _put(journal, b"y" * 90)
        journal.sync()
        journal.trim_through(journal.journal_id, journal.durable)
        journal.housekeep(0, True)
    assert not ground.files and journal.first == 201
    journal, recovery = _journal(ground.cut())
    assert recovery.next == 201
    assert _all(journal) == [(200, b"y" * 90)]  # its word was not kept yet: a replay, no loss


def test_when_full_the_oldest_segment_goes_and_says_so():
    ground = MemoryGround()
    journal, _ = _journal(ground, 4)
    for _i in range(60):
        _put(journal, b"z" * 500)
        journal.sync()
    held = _all(journal)
    first, last, why = held[0]
    assert (first, why) == (1, "full") and held[1][0] == last + 1 and held[-1][0] == 60
    assert journal.fill_permille > 700
    journal, _ = _journal(ground.cut(), 4)
    assert _all(journal) == held
    journal.trim_through(journal.journal_id, last)
    assert _get(journal, 1)[1] == last + 1


def test_a_full_file_system_costs_the_oldest_segment():
    ground = MemoryGround(room=3)
    journal, _ = _journal(ground, 100)
    for _i in range(60):
        _put(journal, b"z" * 500)
        journal.sync()
    held = _all(journal)
    assert held[0][2] == "full" and held[-1][0] == 60 and not journal.degraded


def test_rot_in_a_segment_is_declared_and_passed_over():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for i in range(20):
        _put(journal, b"%02d" % i * 200)
    journal.sync()
    rotten = bytearray(ground.files[1])
    rotten[500] ^= 4  # in the payload of record 2
    ground.files[1] = bytes(rotten)
    journal, _ = _journal(ground.cut())
    held = _all(journal)
    assert held[0][0] == 1 and held[1] == (2, 2, "damage") and held[2][0] == 3
    assert journal.damaged_places


def test_a_lost_segment_is_declared():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _i in range(40):
        _put(journal, b"w" * 500)
    journal.sync()
    second = sorted(ground.files)[1]
    third = sorted(ground.files)[2]
    del ground.files[second]
    journal, _ = _journal(ground.cut())
    assert (second, third - 1, "damage") in _all(journal)


def test_after_rot_in_the_last_save_no_number_is_used_again():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for i in range(5):
        _put(journal, "record %d" % i)
    journal.sync()
    rotten = bytearray(ground.slots["base"])
    rotten[-3] ^= 1
    ground.slots["base"] = bytes(rotten)
    journal, recovery = _journal(ground.cut())
    assert recovery.next > 5 and recovery.torn == 1
    _put(journal, "after")
    journal.sync()
    held = _all(journal)
    assert held[4][:1] == (5,) and held[4][2] == "damage" and held[5][1] == b"after"


def _block(meter):
    return bytes([1, 9, 9, 9, 9, meter, 0, 0])


def test_open_blocks_come_back_with_the_time_last_known_alive():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "not synced")
    journal.save_open(1700000000123, [(0, b"-first-", 1, 6), (3, b"x" * 3999, 0, 3999)])
    journal, recovery = _journal(ground.cut())
    assert recovery.opens == [(0, b"first"), (3, b"x" * 3999)]
    assert recovery.alive_ms == 1700000000123
    assert _all(journal) == [(1, b"not synced")]


def test_open_blocks_longer_than_a_page_all_come_back():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    opens = [(meter, b"%02d" % meter * (400 + meter)) for meter in range(20)]
    journal.save_open(0, [(m, data, 0, len(data)) for m, data in opens])
    journal, recovery = _journal(ground.cut())
    assert recovery.opens == opens and recovery.torn == 0


def test_the_time_last_alive_is_not_ahead_of_the_open_blocks_that_could_be_saved():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(1700000000000, [(0, b"first", 0, 5)])
    ground.fail = 2
    journal.save_open(1700000060000, [(0, b"second", 0, 6)])  # in vain
    ground.fail = 0
    journal.housekeep(1_000_000, True)
    _put(journal, "goes on")
    journal.sync()
    _, recovery = _journal(ground.cut())
    assert (recovery.opens, recovery.alive_ms) == ([(0, b"first")], 1700000000000)


def test_an_unset_clock_does_not_forget_the_last_good_time():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(1700000000123, [])
    journal.save_open(0, [])
    assert _journal(ground.cut())[1].alive_ms == 1700000000123


def test_a_clock_that_was_set_back_is_believed_by_the_next_start():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "a")
    journal.save_open(1700500000000, ())  # days ahead, for an hour
    _put(journal, "b")
    journal.sync()  # in another slot, which is not written again
    _put(journal, "the clock was set back")
    journal.save_open(1700000000000, ())
    for _ in range(3):  # each start writes a mark of its own
        ground = ground.cut()
        assert _journal(ground)[1].alive_ms == 1700000000000


def test_a_sealed_block_makes_its_saved_open_block_stale():
    for acknowledged in (False, True):
        for big in (0, 9, 20):  # a block in the tail, in the last segment, in the one before
            ground = MemoryGround()
            journal, _ = _journal(ground)
            journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
            _put(journal, _block(1), BLOCK)
            if big:  # the block leaves the tail in a segment, no slot is written after it
                for _ in range(big):
                    _put(journal, b"e" * 500)
                journal.housekeep(0, True)
                assert len(journal.segments) == big // 8
            else:
                journal.sync()
            if acknowledged:
                journal.trim_through(journal.journal_id, 1)
                _put(journal, "next")
                journal.sync()
            assert _journal(ground.cut())[1].opens == [(2, b"two")]


def test_a_stale_open_block_stays_stale_after_further_starts():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
    _put(journal, _block(1), BLOCK)
    journal.sync()
    journal.trim_through(journal.journal_id, 1)
    for life in range(4):  # each start writes a mark of its own, each sync all the others
        ground = ground.cut()
        journal, recovery = _journal(ground)
        assert recovery.opens == [(2, b"two")], life
        _put(journal, "event")
        journal.sync()
        journal.trim_through(journal.journal_id, journal.durable)
        _put(journal, "event")
        journal.sync()


def test_what_was_acknowledged_in_ram_is_not_declared_lost_behind_a_segment():
    for count, behind in ((1, 9), (2, 9), (5, 9), (1, 40), (5, 40)):
        ground = MemoryGround()
        journal, _ = _journal(ground)
        for _i in range(count):
            _put(journal, b"a" * 500)
        journal.sync()
        journal.trim_through(journal.journal_id, count)
        for _i in range(behind):  # 9: a segment in a quiet moment; 40: the tail is full before
            _put(journal, b"b" * 500)
        while not journal.segments:
            before = ground.writes
            journal.housekeep(0, True)
            assert ground.writes - before <= 2, "one thing at a time: the mark, then the segment"
        journal, _ = _journal(ground.cut())
        held = _all(journal)
        assert held and not [entry for entry in held if len(entry) == 3], held


def test_a_block_that_was_not_durable_leaves_its_open_block_good():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(0, [(1, b"one", 0, 3)])
    _put(journal, _block(1), BLOCK)
    assert _journal(ground.cut())[1].opens == [(1, b"one")]


def test_the_open_block_after_a_seal_is_good_again():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(0, [(1, b"one", 0, 3)])
    _put(journal, _block(1), BLOCK)
    journal.save_open(0, [(1, b"new", 0, 3)])
    _put(journal, "event")
    journal.sync()
    assert _journal(ground.cut())[1].opens == [(1, b"new")]


def test_one_error_of_the_flash_is_overcome():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "a")
    ground.fail = 1
    journal.sync()
    assert journal.durable == 1 and not journal.degraded and ground.recovered == 1


def test_a_dead_flash_degrades_and_its_return_heals():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    ground.fail = 1000000
    for _i in range(100):
        _put(journal, b"v" * 500)
        journal.sync()
    assert journal.degraded and journal.next == 101
    journal.housekeep(0, True)
    before = ground.writes
    for now_ms in range(0, 60_000, 200):
        journal.sync()
        journal.housekeep(now_ms, True)
    assert journal.degraded and ground.writes - before < 20, "a dead flash is asked rarely"
    ground.fail = 0
    journal.housekeep(59_000, True)
    assert journal.degraded
    journal.housekeep(90_000, True)
    journal.sync()
    assert not journal.degraded and journal.durable == 100
    held = _all(journal)
    assert held[0][0] == 1 and held[0][2] == "damage" and held[-1][0] == 100


def test_a_flash_that_cannot_be_read_at_start_is_not_overwritten():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "kept")
    journal.sync()
    ground.fail = 1000000
    blind, _ = _journal(ground)
    assert blind.degraded
    _put(blind, "in RAM")
    ground.fail = 0
    blind.sync()
    blind.housekeep(0, True)
    assert blind.degraded and _all(blind) == []
    assert _all(_journal(ground.cut())[0]) == [(1, b"kept")]


def test_one_error_at_the_start_is_counted_and_overcome():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "kept")
    journal.sync()
    ground = ground.cut()
    ground.fail = 1
    journal, _ = _journal(ground)
    assert not journal.degraded and _all(journal) == [(1, b"kept")]
    assert journal.errors == 1 and ground.recovered == 1


class _Brittle(MemoryGround):
    """A ground on which room ends, and what makes room fails `breaks` times."""

    breaks = 0
    unreadable = 0
    is_away = False

    def write_segment(self, number, data, start, end):
        try:
            super().write_segment(number, data, start, end)
        except OSError:
            self.fail = self.breaks
            self.breaks = 0
            raise

    def read_segment(self, number, out):
        if self.unreadable:
            self.unreadable -= 1
            raise OSError(5, "EIO")
        return super().read_segment(number, out)

    def recover(self):
        super().recover()
        if self.is_away:
            raise OSError(5, "EIO")


def test_an_error_while_room_is_made_is_overcome_too():
    ground = _Brittle(room=6)
    journal, _ = _journal(ground)
    for i in range(200):
        if i == 150:
            ground.breaks = 1
        _put(journal, b"r%d" % i + b"." * 300)
        journal.sync()
    assert not journal.degraded and journal.errors == 1 and ground.recovered == 1
    held = _all(journal)
    assert held[0][2] == "full" and held[-1][0] == 200


def test_what_a_full_journal_gave_up_is_kept_before_it_goes_also_after_an_error():
    for fail in (0, 1):
        ground = _Brittle()
        journal, _ = _journal(ground, segments=6)
        number = 0
        while not journal.lost_last:
            full = len(journal.segments) == 6 and journal.tail.cut
            ground.fail = fail if full else 0
            journal.housekeep(0, True)
            if not full:
                number += 1
                _put(journal, b"r%d" % number + b"." * 300)
        while len(journal.segments) == 6:
            journal.housekeep(0, True)
        held = _all(_journal(ground.cut(), segments=6)[0])
        assert held[0][2] == "full", (fail, held[0])


def test_a_file_system_that_cannot_be_mounted_anew_degrades():
    ground = _Brittle()
    journal, _ = _journal(ground)
    _put(journal, "a")
    ground.is_away = True
    ground.fail = 2
    journal.sync()
    assert journal.degraded and journal.errors == 4, "two writes and two mounts"


def test_after_an_error_what_was_read_before_it_is_read_again():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _ in range(30):
        _put(journal, b"x" * 500)
    journal.sync()
    assert _get(journal, 1)[2] == b"x" * 500
    rotten = bytearray(ground.files[1])
    rotten[20] ^= 1
    ground.files[1] = bytes(rotten)
    assert _get(journal, 1)[0] == EVENT, "as it is remembered"
    _put(journal, "more")
    ground.fail = 1
    journal.sync()
    assert not journal.degraded and _get(journal, 1)[0] == LOST


def test_a_segment_that_cannot_be_read_is_declared_and_may_come_back():
    ground = _Brittle()
    journal, _ = _journal(ground)
    for i in range(60):
        _put(journal, b"%d" % i + b"." * 300)
    journal.sync()
    first, behind = journal.segments[0], journal.segments[1]
    ground.unreadable = 1
    assert _all(journal)[0][0] == first, "mounted anew it could be read"
    journal._window.forget()
    ground.unreadable = 2
    length = journal.read_from(1, _OUT)
    assert length[0] == behind - 1, "all of it is one LOST record"
    assert not journal.degraded and journal.errors == 3


def test_records_of_another_journal_in_a_slot_are_passed_over():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "ours")
    journal.sync()
    other = MemoryGround()
    foreign = Journal(other, lambda: 99, 16 * 4096)
    foreign.start()
    for _ in range(5):
        _put(foreign, "theirs")
    foreign.sync()
    ground.slots["delta"] = other.slots["base"]
    again, _ = _journal(ground.cut())
    assert _all(again) == [(1, b"ours")] and again.next == 2


def test_damage_in_the_mark_costs_no_number_and_no_open_block():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "one")
    journal.save_open(0, [(1, b"open", 0, 4)])
    mark = bytearray(ground.slots["mark"])
    mark[10] ^= 1
    ground.slots["mark"] = bytes(mark)
    again, found = _journal(ground.cut())
    assert found.torn == 1 and found.opens == [(1, b"open")] and again.next == 2


def test_damage_among_older_segments_puts_the_open_blocks_in_doubt():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(0, [(1, b"open", 0, 4)])
    for i in range(60):
        _put(journal, b"%d" % i + b"." * 300)
    _put(journal, b"?", BLOCK)  # too short to say of which meter it is
    journal.sync()
    assert len(journal.segments) > 2
    number = journal.segments[1]
    data = bytearray(ground.files[number])
    for at in range(400):  # the header of its second record, and more
        data[330 + at] ^= 0xFF
    again_ground = ground.cut()
    again_ground.files[number] = bytes(data)
    assert _journal(ground.cut())[1].opens == [(1, b"open")]
    again, found = _journal(again_ground)
    assert found.opens == [] and found.in_doubt
    again.sync()  # from now on they are stale, also for whoever finds no damage any more
    healed = again_ground.cut()
    healed.files[number] = ground.files[number]
    assert _journal(healed)[1].opens == []


def test_what_a_segment_has_is_not_in_the_tail_as_well():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _ in range(7):
        _put(journal, b"e" * 500)
    journal.sync()
    slots = dict(ground.slots)
    assert not ground.files and b"e" * 500 in slots["base"]
    for _ in range(2):
        _put(journal, b"e" * 500)
    journal.housekeep(0, True)
    assert len(ground.files) == 1
    again = ground.cut()
    again.slots = slots  # power went before they were written anew
    journal, _ = _journal(again)
    assert journal.tail.first == 0 and len(_all(journal)) == 7


def _random(state):
    state[0] = (state[0] * 1103515245 + 12345) & 0x3FFFFFFF
    return state[0] >> 8


def test_random_lives_lose_nothing_that_was_durable():
    """The model: what was readable stays readable, in order, until it is acknowledged."""
    for seed in range(12):
        state = [seed]
        ground = MemoryGround()
        journal, _ = _journal(ground, 64)
        model = {}  # number: payload, durable
        young = {}  # appended, not durable
        acked = 0
        for _ in range(400):
            dice = _random(state) % 100
            if dice < 50:
                payload = bytes([_random(state) & 0xFF]) * (_random(state) % 200)
                young[_put(journal, payload)] = payload
            elif dice < 75:
                journal.sync()
            elif dice < 85:
                journal.housekeep(0, True)
            elif dice < 92:
                acked = max(acked, min(journal.durable, acked + _random(state) % 40))
                journal.trim_through(journal.journal_id, acked)
            elif dice < 95:
                journal.save_open(0, [])
            else:
                before = journal.durable
                journal, recovery = _journal(ground.cut(), 64)
                ground = journal.ground
                assert recovery.next == before + 1 and journal.acked <= acked
                young = {}
            for seq in sorted(young):
                if seq <= journal.durable:
                    model[seq] = young.pop(seq)
            if dice < 90:
                continue
            held = dict(_all(journal))
            for seq in range(acked + 1, journal.durable + 1):
                assert held[seq] == model[seq], (seed, seq)


def test_a_segment_that_power_left_empty_is_removed_and_its_number_used_again():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    while not ground.files:
        _put(journal, b"x" * 900)
        journal.sync()
    journal.sync()
    held = _all(journal)
    ground = ground.cut()
    ground.files[journal.next] = b""
    again, _ = _journal(ground)
    assert again.next == journal.next and _all(again) == held
    assert journal.next not in ground.files and journal.next not in again.segments


def test_a_start_with_smaller_segments_keeps_what_larger_ones_held():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for number in range(4):
        _put(journal, b"%d" % number * 700)
    journal.sync()
    held = _all(journal)
    assert len(held) == 4 and not ground.files
    smaller = ground.cut()
    smaller.segment_size = 2048
    again, _ = _journal(smaller)
    assert _all(again) == held
    again.sync()
    assert smaller.files, "what is too long for the tail goes into a segment"
    assert _all(again) == held and _all(_journal(smaller.cut())[0]) == held


def test_a_bit_that_flips_in_ram_is_declared():
    journal, _ = _journal(MemoryGround())
    for text in ("one", "two", "three"):
        _put(journal, text)
    journal.sync()
    _, at, _, _ = find_record(journal.tail.data, journal.tail.fill, 2, journal.journal_id)[:4]
    journal.tail.data[at + 12] ^= 1
    assert [row[:2] for row in _all(journal)] == [(1, b"one"), (2, 2), (3, b"three")]
    _, at, _, _ = find_record(journal.tail.data, journal.tail.fill, 3, journal.journal_id)[:4]
    journal.tail.data[at + 12] ^= 1
    assert [row[:2] for row in _all(journal)] == [(1, b"one"), (2, 3)]


def test_a_full_journal_gives_up_a_32nd_at_once():
    for segments, given_up in ((4, 1), (31, 1), (32, 2), (63, 2), (64, 3)):
        journal = Journal(MemoryGround(256), lambda: 5, segments * 256)
        journal.start()
        while not journal.lost_last:
            _put(journal, b"." * 200)  # one in each segment
        assert (journal.lost_first, journal.lost_last) == (1, given_up), segments
        for _ in range(given_up):
            journal.housekeep(0, True)
        assert _all(journal)[0] == (1, given_up, "full") and journal.segments[0] == given_up + 1


def test_open_blocks_come_back_wherever_the_page_that_is_read_cuts_them():
    for before in range(296, 372, 3):
        ground = MemoryGround()
        journal, _ = _journal(ground)
        opens = [(0, b"a" * before), (1, b"b" * 3999), (2, b"c")]
        journal.save_open(0, [(m, data, 0, len(data)) for m, data in opens])
        _, recovery = _journal(ground.cut())
        assert recovery.opens == opens and recovery.torn == 0, before


def test_only_a_block_makes_an_open_block_stale():
    for in_segment in (False, True):
        ground = MemoryGround()
        journal, _ = _journal(ground)
        journal.save_open(0, [(1, b"one", 0, 3)])
        _put(journal, _block(1), EVENT)
        _put(journal, _block(1)[:5], BLOCK)  # too short to say of which meter it is
        for _ in range(20 if in_segment else 1):
            _put(journal, b"e" * 500)
        journal.sync()
        assert bool(ground.files) == in_segment
        assert _journal(ground.cut())[1].opens == [(1, b"one")]
        _put(journal, _block(1)[:6], BLOCK)
        journal.sync()
        assert _journal(ground.cut())[1].opens == []


def test_the_last_segment_stays_when_the_slots_behind_it_are_gone():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    while not ground.files:
        _put(journal, b"x" * 900)
        journal.sync()
    ground = ground.cut()
    ground.slots = {"mark": ground.slots["mark"]}
    again, recovery = _journal(ground)
    assert again.tail.first == 0 and recovery.next == 5
    for _ in range(3):
        again.housekeep(0, True)
    assert [seq for seq, _ in _all(again)] == [1, 2, 3, 4] and len(ground.files) == 1
    again.trim_through(again.journal_id, 4)
    for _ in range(3):
        again.housekeep(0, True)
    assert not ground.files and _all(again) == []


def test_a_journal_that_is_blind_stays_so_and_writes_nothing_until_the_next_start():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "kept")
    journal.sync()
    slots = dict(ground.slots)
    ground.fail = 4  # both tries, and what follows an error
    blind, _ = _journal(ground)
    ground.fail = 0
    assert blind.blind and blind.degraded
    for now_ms in range(0, 10_000_000, 500_000):
        _put(blind, "in RAM")
        blind.sync()
        blind.save_open(0, [(1, b"open", 0, 4)])
        blind.housekeep(now_ms, True)
    assert blind.degraded and ground.slots == slots and not ground.files


def test_a_journal_is_never_named_0():
    journal = Journal(MemoryGround(), lambda: 0, 16 * 4096)
    journal.start()
    assert journal.journal_id == 1


def test_rot_at_the_end_of_the_last_segment_is_declared_up_to_the_tail():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    while not ground.files:
        _put(journal, b"x" * 900)
        journal.sync()
    (number,) = ground.files
    assert number == 1 and journal.tail.first == 5
    rotten = bytearray(ground.files[1])
    rotten[-3] ^= 4  # in the last record, 4
    ground.files[1] = bytes(rotten)
    journal._window.forget()
    assert [row[:2] for row in _all(journal)][3:] == [(4, 4), (5, b"x" * 900)]
    again, recovery = _journal(ground.cut())
    assert recovery.in_doubt
    assert [row[:2] for row in _all(again)][3:5] == [(4, 4), (5, b"x" * 900)]


def test_the_number_of_a_record_that_rotted_behind_all_others_is_not_used_again():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    while not ground.files:
        _put(journal, b"x" * 900)
        journal.sync()
    rotten = bytearray(ground.files[1])
    rotten[-3] ^= 4
    ground.files[1] = bytes(rotten)
    ground.slots = {"mark": ground.slots["mark"]}
    journal, recovery = _journal(ground.cut())
    assert recovery.next > 4 and recovery.in_doubt and recovery.torn == 1


def test_a_renewed_save_is_what_later_ones_are_added_to():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, b"old words")
    journal.sync()
    _put(journal, b"more words")
    renewed = []
    ground.renew = lambda: renewed.append(1)
    assert journal.renew() and renewed == [1]
    assert b"old words" in ground.slots["base"] and b"more words" in ground.slots["base"]
    assert b"words" not in ground.slots["delta"]
    _put(journal, b"new")
    journal.sync()
    assert b"words" not in ground.slots["delta"] and b"new" in ground.slots["delta"]
    assert len(_all(_journal(ground.cut())[0])) == 3


def test_where_others_leave_room_for_few_segments_what_goes_is_declared_to_its_last():
    for room in range(1, 7):  # 4 are given up at once, of 100
        ground = MemoryGround(256, room=room)
        journal = Journal(ground, lambda: 5, 100 * 256)
        journal.start()
        for i in range(60):
            _put(journal, b"%02d" % i * 20)
            journal.sync()
        held = _all(journal)
        first, last, why = held[0]
        assert (first, why) == (1, "full") and not journal.degraded, room
        assert [row[0] for row in held[1:]] == list(range(last + 1, 61)), room
        assert journal.lost_first == 1 and journal.lost_last >= last, room
        assert journal.lost_last == last or room > 4, room


def test_a_mark_of_the_next_life_goes_on_saying_which_open_blocks_are_stale():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    journal.save_open(0, [(1, b"one", 0, 3), (2, b"two", 0, 3)])
    _put(journal, _block(1), BLOCK)
    journal.sync()
    ground = ground.cut()
    assert _journal(ground)[1].opens == [(2, b"two")]
    mark = ground.slots["mark"]
    _, _, _, start, end = check_record(mark, 0, record_length(mark, 0, len(mark)))
    assert mark[start + 20 : end] == b"\x01"


def test_a_block_too_short_for_its_meters_number_says_of_none():
    for in_segment in (False, True):
        ground = MemoryGround()
        journal, _ = _journal(ground)
        opens = [(meter, b"x") for meter in range(250)]  # one of them as the check sum behind it
        journal.save_open(0, [(meter, data, 0, 1) for meter, data in opens])
        for i in range(9):
            _put(journal, bytes((1, 9, 9, 9, i)), BLOCK)
        for _ in range(20 if in_segment else 1):
            _put(journal, b"e" * 500)
        journal.sync()
        assert bool(ground.files) == in_segment
        assert _journal(ground.cut())[1].opens == opens


def test_a_tail_takes_what_fills_it_to_its_last_byte():
    tail = Tail(4096)
    room = len(tail.data)
    assert tail.fits(room) and not tail.fits(room + 1)
    tail.fill = 100
    assert tail.fits(room - 100) and not tail.fits(room - 99)


def test_a_tail_is_heavy_when_each_save_would_carry_more_than_two_kilobytes():
    tail = Tail(4096)
    tail.base = 100
    for fill, is_heavy in ((100, False), (2148, False), (2149, True)):
        tail.fill = fill
        assert tail.is_heavy == is_heavy
    tail.fill, tail.cut = 200, 150
    assert tail.is_heavy


def test_a_tail_that_loses_more_than_was_durable_has_nothing_durable():
    tail = Tail(100)
    for seq in (1, 2, 3, 4):
        tail.add(EVENT, seq, 5, b"x" * 24, 0, 24)
    assert (tail.fill, tail.cut) == (160, 80)
    tail.solid, tail.base = 40, 20
    tail.drop(80)
    assert (tail.fill, tail.cut, tail.solid, tail.base, tail.first) == (80, 0, 0, 0, 3)
    tail.solid = tail.base = 80
    tail.drop(80)
    assert (tail.fill, tail.cut, tail.solid, tail.base, tail.first) == (0, 0, 0, 0, 0)
    for seq in range(1, 7):
        tail.add(EVENT, seq, 5, b"x" * 34, 0, 34)
    assert tail.cut == 100
    tail.drop(100)
    assert (tail.fill, tail.cut, tail.first) == (200, 100, 3), "two whole ones make a segment"


def test_damage_is_counted_and_costs_no_number_more_than_it_may_hide():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for i in range(5):
        _put(journal, "record %d" % i)  # 24 bytes each
    journal.sync()
    rotten = bytearray(ground.slots["base"])
    at = len(rotten) - 3 * 24  # of record 3
    rotten[at + 14] ^= 1
    ground.slots["base"] = bytes(rotten)
    again, recovery = _journal(ground.cut())
    assert (recovery.torn, again.damaged_places, recovery.next) == (1, 1, 7)
    assert [row[:2] for row in _all(again)][:5] == [
        (1, b"record 0"),
        (2, b"record 1"),
        (3, 3),
        (4, b"record 3"),
        (5, b"record 4"),
    ]
    rotten = bytearray(ground.slots["base"])
    rotten[-3] ^= 1  # and the last one: one number at most is in 24 bytes
    ground.slots["base"] = bytes(rotten)
    again, recovery = _journal(ground.cut())
    assert (recovery.torn, again.damaged_places, recovery.next) == (2, 2, 8)


def test_a_byte_too_many_hides_no_record():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    _put(journal, "one")
    _put(journal, "two")
    journal.sync()
    base = ground.slots["base"]
    for at in (len(base), len(base) - 19, len(base) - 38):  # 16 + 3 bytes each
        for stray in (b"\0", b"\xff", b"\xe5"):
            ground.slots["base"] = base[:at] + stray + base[at:]
            again, recovery = _journal(ground.cut())
            assert [row[:2] for row in _all(again)][:2] == [(1, b"one"), (2, b"two")]
            assert (recovery.torn, recovery.next) == (1, 3), (at, stray)


def test_damage_in_a_segment_is_counted_when_it_is_read():
    ground = MemoryGround()
    journal, _ = _journal(ground)
    for _ in range(30):
        _put(journal, b"x" * 500)
    journal.sync()
    rotten = bytearray(ground.files[1])
    rotten[700] ^= 1
    ground.files[1] = bytes(rotten)
    assert journal.damaged_places == 0
    _all(journal)
    assert journal.damaged_places >= 1
