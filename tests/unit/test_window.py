"""One segment in RAM, read record by record, from anywhere and in order."""

from agent.record import EVENT, pack_record
from agent.window import Window


class Ground:
    def __init__(self, **segments):
        self.reads = []

    def read_segment(self, number, out):
        self.reads.append(number)
        at = 0
        for i in range(4):
            at += pack_record(out, EVENT, number + i, 77, b"0123456789", 0, 5 + i, at)
        self.ends = at
        return at


def test_a_window_holds_nothing_then_what_it_was_told():
    window = Window(500)
    ground = Ground()
    assert (window.of, window.damaged, len(window.data)) == (0, 0, 500)
    assert window.find(0, 77)[0] == 0, "nothing is held"
    window.hold(ground, 10)
    window.hold(ground, 10)
    assert ground.reads == [10] and window.of == 10
    places = [window.find(seq, 77)[:2] for seq in (10, 11, 12, 13)]
    assert [seq for seq, _ in places] == [10, 11, 12, 13]
    assert places[0][1] == 0 and places == [window.find(seq, 77)[:2] for seq in (10, 11, 12, 13)]
    assert window.find(11, 77)[:2] == places[1], "out of order too"
    assert window.find(14, 77)[0] == 0 and window.find(10, 78)[0] == 0
    window.forget()
    assert window.of == 0
    window.hold(ground, 20)
    assert ground.reads == [10, 20] and window.find(20, 77)[0] == 20


def test_damaged_places_are_passed_over_and_counted():
    window = Window(500)
    window.hold(Ground(), 10)
    _, at, _ = window.find(11, 77)
    window.data[at + 9] ^= 1
    before = window.damaged
    assert window.find(11, 77)[0] == 12
    assert window.damaged > before
