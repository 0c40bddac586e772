"""agent/journal.py on a ground in memory: numbers, losses, errors, a full journal."""

import sys

from agent.journal import Journal
from agent.record import BLOCK, EVENT, LOST, find_record
from tests.fakes.memory_ground import MemoryGround
from tests.unit.journals import block_of, fill, get, put, read_all, start_on

_OUT = bytearray(4096)


def test_a_number_is_readable_only_when_it_is_durable():
    journal, _ = start_on(MemoryGround())
    assert put(journal, "a") == 1
    assert get(journal, 1) is None and journal.durable == 0
    assert journal.read_from(1, _OUT) == journal.read_from(2, _OUT) == (0, 0)
    journal.sync()
    assert get(journal, 1) == (EVENT, 1, b"a") and journal.durable == 1


def test_what_was_synced_survives_and_what_was_not_frees_its_number():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "a")
    journal.sync()
    put(journal, "never seen")
    journal, recovery = start_on(ground.cut())
    assert (recovery.first, recovery.next, journal.journal_id) == (1, 2, 0x1234ABCD)
    assert put(journal, "b") == 2
    journal.sync()
    assert read_all(journal) == [(1, b"a"), (2, b"b")]


def test_records_of_all_sizes_come_back_after_a_cut():
    ground = MemoryGround()
    journal, _ = start_on(ground, 400)
    wanted = []
    for i in range(90):
        payload = bytes([i & 0xFF]) * (4000 if i % 30 == 7 else i * 37 % 700)
        wanted.append((put(journal, payload), payload))
        if i % 7 == 0:
            journal.sync()
        if i % 3 == 0:
            journal.housekeep(0, True)
    journal.sync()
    assert read_all(journal) == wanted
    journal, _ = start_on(ground.cut(), 400)
    assert read_all(journal) == wanted


def test_an_acknowledged_record_is_passed_over_and_its_segment_freed():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _i in range(40):
        put(journal, b"x" * 500)
    journal.sync()
    assert len(ground.files) >= 4
    journal.trim_through(journal.journal_id, 38)
    assert journal.first == 39 and get(journal, 1)[1] == 39
    for _ in range(20):
        journal.housekeep(0, False)
    assert len(ground.files) >= 4
    for _ in range(20):
        journal.housekeep(0, True)
    assert len(ground.files) == 0
    journal, recovery = start_on(ground.cut())
    assert recovery.first == 39 and recovery.next == 41
    assert [seq for seq, _ in read_all(journal)] == [39, 40]


def test_a_word_that_is_foreign_stale_or_ahead_frees_nothing():
    journal, _ = start_on(MemoryGround())
    for _ in range(3):
        put(journal, "x")
    journal.sync()
    put(journal, "not durable")
    journal.trim_through(journal.journal_id ^ 1, 2)
    journal.trim_through(journal.journal_id, 4)
    assert journal.acked == 0
    journal.trim_through(journal.journal_id, 2)
    journal.trim_through(journal.journal_id, 1)
    assert journal.acked == 2


def test_acknowledged_at_once_no_segment_is_ever_written():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _i in range(200):
        put(journal, b"y" * 90)
        journal.sync()
        journal.trim_through(journal.journal_id, journal.durable)
        journal.housekeep(0, True)
    assert not ground.files and journal.first == 201
    journal, recovery = start_on(ground.cut())
    assert recovery.next == 201
    assert read_all(journal) == [(200, b"y" * 90)]  # its word was not kept yet: a replay, no loss


def test_when_full_the_oldest_segment_goes_and_says_so():
    ground = MemoryGround()
    journal, _ = start_on(ground, 4)
    for _i in range(60):
        put(journal, b"z" * 500)
        journal.sync()
    held = read_all(journal)
    first, last, why = held[0]
    assert (first, why) == (1, "full") and held[1][0] == last + 1 and held[-1][0] == 60
    assert journal.fill_permille > 700
    journal, _ = start_on(ground.cut(), 4)
    assert read_all(journal) == held
    journal.trim_through(journal.journal_id, last)
    assert get(journal, 1)[1] == last + 1


def test_a_full_file_system_costs_the_oldest_segment():
    ground = MemoryGround(room=3)
    journal, _ = start_on(ground, 100)
    for _i in range(60):
        put(journal, b"z" * 500)
        journal.sync()
    held = read_all(journal)
    assert held[0][2] == "full" and held[-1][0] == 60 and not journal.degraded


def test_rot_in_a_segment_is_declared_and_passed_over():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for i in range(20):
        put(journal, b"%02d" % i * 200)
    journal.sync()
    rotten = bytearray(ground.files[1])
    rotten[500] ^= 4  # in the payload of record 2
    ground.files[1] = bytes(rotten)
    journal, _ = start_on(ground.cut())
    held = read_all(journal)
    assert held[0][0] == 1 and held[1] == (2, 2, "damage") and held[2][0] == 3
    assert journal.damaged_places


def test_a_lost_segment_is_declared():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _i in range(40):
        put(journal, b"w" * 500)
    journal.sync()
    second = sorted(ground.files)[1]
    third = sorted(ground.files)[2]
    del ground.files[second]
    journal, _ = start_on(ground.cut())
    assert (second, third - 1, "damage") in read_all(journal)


def test_one_error_of_the_flash_is_overcome():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, "a")
    ground.fail = 1
    journal.sync()
    assert journal.durable == 1 and not journal.degraded and ground.recovered == 1


def test_a_dead_flash_degrades_and_its_return_heals():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    ground.fail = 1000000
    for _i in range(100):
        put(journal, b"v" * 500)
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
    held = read_all(journal)
    assert held[0][0] == 1 and held[0][2] == "damage" and held[-1][0] == 100


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
    journal, _ = start_on(ground)
    for i in range(200):
        if i == 150:
            ground.breaks = 1
        put(journal, b"r%d" % i + b"." * 300)
        journal.sync()
    assert not journal.degraded and journal.errors == 1 and ground.recovered == 1
    held = read_all(journal)
    assert held[0][2] == "full" and held[-1][0] == 200


def test_what_a_full_journal_gave_up_is_kept_before_it_goes_also_after_an_error():
    for fail in (0, 1):
        ground = _Brittle()
        journal, _ = start_on(ground, segments=6)
        number = 0
        while not journal.lost_last:
            full = len(journal.segments) == 6 and journal.tail.cut
            ground.fail = fail if full else 0
            journal.housekeep(0, True)
            if not full:
                number += 1
                put(journal, b"r%d" % number + b"." * 300)
        while len(journal.segments) == 6:
            journal.housekeep(0, True)
        held = read_all(start_on(ground.cut(), segments=6)[0])
        assert held[0][2] == "full", (fail, held[0])


def test_a_file_system_that_cannot_be_mounted_anew_degrades():
    ground = _Brittle()
    journal, _ = start_on(ground)
    put(journal, "a")
    ground.is_away = True
    ground.fail = 2
    journal.sync()
    assert journal.degraded and journal.errors == 4, "two writes and two mounts"


def test_after_an_error_what_was_read_before_it_is_read_again():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _ in range(30):
        put(journal, b"x" * 500)
    journal.sync()
    assert get(journal, 1)[2] == b"x" * 500
    rotten = bytearray(ground.files[1])
    rotten[20] ^= 1
    ground.files[1] = bytes(rotten)
    assert get(journal, 1)[0] == EVENT, "as it is remembered"
    put(journal, "more")
    ground.fail = 1
    journal.sync()
    assert not journal.degraded and get(journal, 1)[0] == LOST


def test_a_segment_that_cannot_be_read_is_declared_and_may_come_back():
    ground = _Brittle()
    journal, _ = start_on(ground)
    for i in range(60):
        put(journal, b"%d" % i + b"." * 300)
    journal.sync()
    first, behind = journal.segments[0], journal.segments[1]
    ground.unreadable = 1
    assert read_all(journal)[0][0] == first, "mounted anew it could be read"
    journal._window.forget()
    ground.unreadable = 2
    length = journal.read_from(1, _OUT)
    assert length[0] == behind - 1, "all of it is one LOST record"
    assert not journal.degraded and journal.errors == 3


def _random(state):
    state[0] = (state[0] * 1103515245 + 12345) & 0x3FFFFFFF
    return state[0] >> 8


def test_random_lives_lose_nothing_that_was_durable():
    """The model: what was readable stays readable, in order, until it is acknowledged."""
    for seed in range(12):
        state = [seed]
        ground = MemoryGround()
        journal, _ = start_on(ground, 64)
        model = {}  # number: payload, durable
        young = {}  # appended, not durable
        acked = 0
        for _ in range(400):
            dice = _random(state) % 100
            if dice < 50:
                payload = bytes([_random(state) & 0xFF]) * (_random(state) % 200)
                young[put(journal, payload)] = payload
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
                journal, recovery = start_on(ground.cut(), 64)
                ground = journal.ground
                assert recovery.next == before + 1 and journal.acked <= acked
                young = {}
            for seq in sorted(young):
                if seq <= journal.durable:
                    model[seq] = young.pop(seq)
            if dice < 90:
                continue
            held = dict(read_all(journal))
            for seq in range(acked + 1, journal.durable + 1):
                assert held[seq] == model[seq], (seed, seq)


def test_a_bit_that_flips_in_ram_is_declared():
    journal, _ = start_on(MemoryGround())
    for text in ("one", "two", "three"):
        put(journal, text)
    journal.sync()
    _, at, _, _ = find_record(journal.tail.data, journal.tail.fill, 2, journal.journal_id)[:4]
    journal.tail.data[at + 12] ^= 1
    assert [row[:2] for row in read_all(journal)] == [(1, b"one"), (2, 2), (3, b"three")]
    _, at, _, _ = find_record(journal.tail.data, journal.tail.fill, 3, journal.journal_id)[:4]
    journal.tail.data[at + 12] ^= 1
    assert [row[:2] for row in read_all(journal)] == [(1, b"one"), (2, 3)]


def test_a_full_journal_gives_up_a_32nd_at_once():
    for segments, given_up in ((4, 1), (31, 1), (32, 2), (63, 2), (64, 3)):
        journal = Journal(MemoryGround(256), lambda: 5, segments * 256)
        journal.start()
        while not journal.lost_last:
            put(journal, b"." * 200)  # one in each segment
        assert (journal.lost_first, journal.lost_last) == (1, given_up), segments
        for _ in range(given_up):
            journal.housekeep(0, True)
        assert read_all(journal)[0] == (1, given_up, "full")
        assert journal.segments[0] == given_up + 1


def test_a_journal_is_never_named_0():
    journal = Journal(MemoryGround(), lambda: 0, 16 * 4096)
    journal.start()
    assert journal.journal_id == 1


def test_a_renewed_save_is_what_later_ones_are_added_to():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    put(journal, b"old words")
    journal.sync()
    put(journal, b"more words")
    renewed = []
    ground.renew = lambda: renewed.append(1)
    assert journal.renew() and renewed == [1]
    assert b"old words" in ground.slots["base"] and b"more words" in ground.slots["base"]
    assert b"words" not in ground.slots["delta"]
    put(journal, b"new")
    journal.sync()
    assert b"words" not in ground.slots["delta"] and b"new" in ground.slots["delta"]
    assert len(read_all(start_on(ground.cut())[0])) == 3


def test_where_others_leave_room_for_few_segments_what_goes_is_declared_to_its_last():
    for room in range(1, 7):  # 4 are given up at once, of 100
        ground = MemoryGround(256, room=room)
        journal = Journal(ground, lambda: 5, 100 * 256)
        journal.start()
        for i in range(60):
            put(journal, b"%02d" % i * 20)
            journal.sync()
        held = read_all(journal)
        first, last, why = held[0]
        assert (first, why) == (1, "full") and not journal.degraded, room
        assert [row[0] for row in held[1:]] == list(range(last + 1, 61)), room
        assert journal.lost_first == 1 and journal.lost_last >= last, room
        assert journal.lost_last == last or room > 4, room


def test_damage_in_a_segment_is_counted_when_it_is_read():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    for _ in range(30):
        put(journal, b"x" * 500)
    journal.sync()
    rotten = bytearray(ground.files[1])
    rotten[700] ^= 1
    ground.files[1] = bytes(rotten)
    assert journal.damaged_places == 0
    read_all(journal)
    assert journal.damaged_places >= 1


class _Counted(MemoryGround):
    """A ground that counts how often a segment is read."""

    reads = 0

    def read_segment(self, number, out):
        self.reads += 1
        return super().read_segment(number, out)


def test_what_is_in_ram_is_read_without_the_flash_and_a_segment_once():
    ground = _Counted()
    journal, _ = start_on(ground)
    fill(journal, 3, 500)
    ground.reads = 0
    for seq in range(journal.tail.first, journal.next):
        assert get(journal, seq)[1] == seq
    assert ground.reads == 0
    for seq in range(1, journal.tail.first):
        assert get(journal, seq)[1] == seq
    assert ground.reads == 3


def test_saving_the_open_blocks_spoils_nothing_that_is_read_next():
    journal, _ = start_on(MemoryGround())
    fill(journal, 1, 500)
    assert get(journal, 1)[2] == b"x" * 500
    journal.save_open(0, [(1, b"o" * 2000, 0, 2000)])
    assert get(journal, 1)[2] == get(journal, 2)[2] == b"x" * 500
    assert journal.damaged_places == 0


def test_a_journal_that_cannot_be_read_is_empty_and_says_so():
    ground = MemoryGround()
    ground.fail = 1000
    journal, found = start_on(ground)
    assert journal.blind and journal.fill_permille == 0 and read_all(journal) == []
    assert (found.opens, found.alive_ms, found.first, found.next) == ([], 0, 1, 1)


def test_a_journal_has_four_segments_or_more_and_its_start_leaves_no_module_behind():
    journal = Journal(MemoryGround(), lambda: 5, 1)
    journal.start()
    assert journal.segments_max == 4
    assert "agent.recovery" not in sys.modules


def test_a_record_is_counted_from_where_it_begins():
    journal, _ = start_on(MemoryGround())
    assert journal.append(EVENT, b"--payload", 2, 9) == 1 and journal.taken == 7 + 16
    journal.append(BLOCK, b"------" + block_of(3)[:5], 6, 11)
    assert not journal.sealed, "too short to say of which meter it is"
    journal.append(BLOCK, b"------" + block_of(3), 6, 14)
    assert journal.sealed == {3: 3}
    journal.sync()
    assert get(journal, 1)[2] == b"payload"


def test_a_flash_that_came_back_is_asked_again_as_soon_as_the_first_time():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    now_ms = 0
    for _ in range(3):
        ground.fail = 1000000
        put(journal, "in RAM")
        journal.sync()
        assert journal.degraded
        journal.housekeep(now_ms, True)  # the outage begins
        for _ in range(8):
            now_ms += 400_000
            journal.housekeep(now_ms, True)
        ground.fail = 0
        now_ms += 400_000
        journal.housekeep(now_ms, True)
        assert not journal.degraded
    ground.fail = 1000000
    put(journal, "in RAM")
    journal.sync()
    journal.housekeep(now_ms, True)
    ground.fail = 0
    journal.housekeep(now_ms + 4_999, True)
    assert journal.degraded
    journal.housekeep(now_ms + 5_000, True)
    assert not journal.degraded


def test_what_a_save_has_said_needs_no_mark_of_its_own():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    fill(journal, 1, 500)
    journal.trim_through(journal.journal_id, journal.durable)
    put(journal, "more")
    journal.sync()
    before = ground.writes
    journal.housekeep(0, True)
    assert not journal.segments and ground.writes - before == 1, "the removal alone"


def test_a_single_record_that_was_given_up_says_why():
    journal, _ = start_on(MemoryGround(), 4)
    while not journal.lost_last:
        put(journal, b"x" * 4000)
    assert journal.lost_first == journal.lost_last == 1
    while journal.segments[0] == 1:
        journal.housekeep(0, True)
    assert read_all(journal)[0] == (1, 1, "full")


def test_as_many_meters_as_there_are_numbers_may_seal_between_two_saves():
    ground = MemoryGround()
    journal, _ = start_on(ground)
    journal.save_open(0, [(meter, b"open", 0, 4) for meter in (0, 100, 255)])
    for meter in range(256):
        put(journal, block_of(meter), BLOCK)
    journal.sync()
    again, found = start_on(ground.cut())
    assert found.opens == [] and again.next == 257


class _Filled(MemoryGround):
    """A ground without room, and dead as soon as some was made."""

    def remove_segment(self, number):
        super().remove_segment(number)
        self.fail = 1000000


def test_an_error_is_tried_twice_whatever_was_given_up_for_room_before():
    ground = _Filled(room=3)
    journal, _ = start_on(ground, 100)
    while not journal.degraded:
        put(journal, b"z" * 500)
        journal.sync()
    assert journal.errors == 2
