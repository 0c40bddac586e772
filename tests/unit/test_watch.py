"""The watchdog is fed while all parts move, and no longer than one cure after one does not."""

from agent.watch import Watch


class Part:
    pass


def make(count, now_ms=0):
    parts = [Part() for _ in range(count)]
    return parts, Watch(parts, now_ms, 1000)


def test_parts_that_move_are_left_alone():
    parts, watch = make(2)
    for now in range(0, 10000, 500):
        parts[0].alive_ms = parts[1].alive_ms = now
        assert watch.step(now) is None and watch.may_feed
    assert watch.restarts == 0


def test_a_part_that_stands_still_is_started_anew_once_then_the_chip_resets():
    parts, watch = make(2)
    said = []
    for now in range(0, 2500, 100):
        parts[0].alive_ms = now
        said.append(watch.step(now))
        assert watch.may_feed == (now < 2000), now
    assert said.count(1) == 1 and said.index(1) == 10 and watch.restarts == 1


def test_a_cure_that_helps_is_forgotten():
    parts, watch = make(1)
    assert watch.step(1000) == 0
    parts[0].alive_ms = 1500
    assert watch.step(2400) is None and watch.may_feed
    assert watch.step(2500) == 0 and watch.may_feed
    assert watch.restarts == 2


def test_the_tick_may_wrap():
    near = (1 << 30) - 500
    _, watch = make(1, near)
    assert watch.step((near + 900) & ((1 << 30) - 1)) is None
    assert watch.step((near + 1000) & ((1 << 30) - 1)) == 0
