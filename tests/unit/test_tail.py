"""agent/tail.py: the newest records in RAM, and where a segment is cut from them."""

from agent.record import EVENT, OVERHEAD, PAYLOAD_MAX, pack_record
from agent.tail import Tail


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


def test_a_tail_of_just_one_segment_is_not_cut_and_takes_the_longest_record_yet():
    out = bytearray(100)
    length = pack_record(out, EVENT, 3, 5, b"x" * 24, 0, 24)
    for add in (False, True):
        tail = Tail(120)
        for seq in (1, 2):
            tail.add(EVENT, seq, 5, b"x" * 24, 0, 24)
        if add:
            tail.add(EVENT, 3, 5, b"x" * 24, 0, 24)
        else:
            tail.take(out, 0, length)
        assert (tail.fill, tail.cut, tail.first) == (120, 0, 1)
        assert tail.fits(PAYLOAD_MAX + OVERHEAD) and not tail.fits(PAYLOAD_MAX + OVERHEAD + 1)
        tail.add(EVENT, 4, 5, bytes(PAYLOAD_MAX), 0, PAYLOAD_MAX)
        assert tail.cut == 120 and tail.last_in(tail.cut) == 3


def test_what_is_left_of_a_tail_is_cut_only_where_it_is_more_than_a_segment():
    tail = Tail(80)
    for seq in range(1, 5):
        tail.add(EVENT, seq, 5, b"x" * 24, 0, 24)
    tail.drop(tail.cut)
    assert (tail.fill, tail.cut) == (80, 0)
    for seq in range(5, 8):
        tail.add(EVENT, seq, 5, b"x" * 24, 0, 24)
    tail.drop(tail.cut)
    assert (tail.fill, tail.cut) == (120, 80)
