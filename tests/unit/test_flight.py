"""How far records run ahead of the collector, and what frees their places."""

from agent.flight import Flight
from tests.fakes.journal import MemoryJournal

ROOM = bytearray(200)


def _make(count=10, window=3, ahead=5, by_puback=False):
    journal = MemoryJournal()
    journal.fill(count)
    return Flight(journal, window, ahead, by_puback), journal


def _read(flight, *ids, now_ms=0):
    return [flight.read(ROOM, packet_id, now_ms) > 0 for packet_id in ids]


def test_nothing_is_on_its_way_at_first():
    flight, _ = _make()
    assert (flight.published, flight.repeated, flight.waiting, flight.unacked) == (0, 0, 0, 0)
    assert flight.cursor == 1 and not flight.has(7)
    flight, journal = _make()
    journal.trim_through(1, 4)
    assert Flight(journal, 1, 1).cursor == 5
    assert not flight.on_puback(0, 0), "no identifier is 0"


def test_the_window_and_what_is_ahead_are_limits_of_their_own():
    flight, _ = _make()
    assert _read(flight, 11, 12, 13, 14) == [True, True, True, False]
    assert flight.has(11) and flight.has(13) and not flight.has(14)
    assert flight.on_puback(12, 0) and not flight.on_puback(12, 0) and not flight.has(12)
    assert _read(flight, 14, 15) == [True, False] and flight.unacked == 4
    assert flight.on_puback(11, 0) and flight.on_puback(13, 0)
    assert _read(flight, 16, 17) == [True, False], "five ahead of the collector at most"
    assert flight.cursor == 6 and flight.published == 5 and flight.repeated == 0


def test_an_acknowledgement_frees_what_it_covers_and_no_more():
    flight, _journal = _make()
    _read(flight, 1, 2, 3)
    assert flight.on_stored(1, 2, 0) and flight.unacked == 1
    assert not flight.on_stored(2, 3, 0), "of another journal"
    assert not flight.on_stored(1, 11, 0), "of the future"
    assert flight.on_stored(1, 10, 0) and flight.unacked == 0, "stored without having been sent"
    assert flight.cursor == 4


def test_records_that_were_acknowledged_otherwise_are_not_sent():
    flight, journal = _make()
    flight.on_stored(1, 6, 0)
    assert _read(flight, 1) == [True]
    assert ROOM[4:8] == (7).to_bytes(4, "big") and flight.cursor == 8
    assert journal.acked == 6


def test_a_new_session_frees_every_place():
    flight, _ = _make()
    _read(flight, 1, 2, 3)
    flight.on_stored(1, 1, 0)
    flight.reset(5)
    assert (flight.waiting, flight.unacked, flight.cursor) == (0, 0, 2)
    assert not flight.has(1) and not flight.has(2) and not flight.has(3)
    assert _read(flight, 4, 5, 6, 7) == [True, True, True, False]
    assert flight.repeated == 2 and flight.published == 6


def test_a_stall_goes_back_after_half_a_minute_then_ever_later():
    flight, _ = _make(1)
    now = 1000
    _read(flight, 1, now_ms=now)
    flight.watch(now + 100000)
    assert flight.unacked == 1, "the broker owes a PUBACK: another matter"
    flight.on_puback(1, now)
    for wait_s in (30, 60, 120, 240, 480, 960, 1920, 3600, 3600):
        flight.watch(now + wait_s * 1000 - 1)
        assert flight.unacked == 1 and flight.cursor == 2, wait_s
        now += wait_s * 1000
        flight.watch(now)
        assert flight.unacked == 0 and flight.cursor == 1, wait_s
        _read(flight, 2, now_ms=now)
        flight.on_puback(2, now)
    assert flight.on_stored(1, 1, now)
    flight, journal = _make(1)
    flight.watch(99999)
    assert flight.cursor == 1, "nothing is owed"
    journal.fill(1)
    _read(flight, 1, 2, now_ms=100000)
    flight.on_puback(1, 100000)
    flight.on_puback(2, 100000)
    flight.watch(130000)
    _read(flight, 3, 4, now_ms=130000)
    flight.on_puback(3, 130000)
    flight.on_puback(4, 130000)
    flight.on_stored(1, 1, 150000)
    flight.watch(179999)
    assert flight.unacked == 1
    flight.watch(180000)
    assert flight.unacked == 0, "an acknowledgement begins the waits anew"


def test_pubacks_that_count_as_stored_free_what_is_contiguous():
    flight, journal = _make(by_puback=True)
    _read(flight, 1, 2, 3)
    for packet_id, acked in ((2, 0), (1, 2), (3, 3)):
        flight.on_puback(packet_id, 0)
        assert journal.acked == acked
    _read(flight, 4)
    flight.on_puback(4, 0)
    assert journal.acked == 4
