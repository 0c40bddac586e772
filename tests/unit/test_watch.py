"""The watchdog is fed while all parts move, and no longer than one cure after one does not."""

from agent.watch import Watch


class Part:
    pass


def make(count, now_ms=0, ports=0):
    parts = [Part() for _ in range(count)]
    return parts, Watch(parts, now_ms, ports, 1000)


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


def test_a_port_rests_instead_and_longer_each_time():
    parts, watch = make(2, ports=1)
    rests = []
    for now in range(0, 9000000, 500):
        parts[1].alive_ms = now
        if watch.step(now) == 0 and watch.rest_ms:
            rests.append(watch.rest_ms // 1000)
        assert watch.may_feed
    assert rests[:7] == [120, 240, 480, 960, 1920, 3600, 3600][: len(rests)] and len(rests) >= 6
    assert watch.restarts == 1


def test_a_port_that_has_worked_for_ten_minutes_is_trusted_again():
    parts, watch = make(1, ports=1)
    for now in range(5):
        watch.failed(0, now)
    assert watch.is_resting(0)
    now = 0
    for now in range(5, 130000, 1000):
        if not watch.is_resting(0):
            parts[0].alive_ms = now
        watch.step(now)
    assert not watch.is_resting(0)
    for well_ms, rest_ms in ((300000, 240000), (800000, 120000)):
        end = now + well_ms
        while now < end:
            now += 500
            parts[0].alive_ms = now
            assert watch.step(now) is None
        rests = [watch.failed(0, now + i) for i in range(5)]
        assert rests == [0, 0, 0, 0, rest_ms]
        end = now + rest_ms + 1000
        while now < end:
            now += 500
            watch.step(now)


def test_errors_that_are_far_apart_are_no_storm():
    _, watch = make(1, ports=1)
    assert not any(watch.failed(0, now) for now in range(0, 40000, 300))


def test_a_port_that_moves_long_enough_is_well_again_whatever_it_once_said():
    parts, watch = make(2, ports=1)
    assert watch.step(1000) == 0 and watch.rest_ms == 0  # its cure
    now = 1500
    parts[0].alive_ms = parts[1].alive_ms = now
    watch.step(now)
    assert watch.failed(0, now) == 0  # an error of its own, and no more
    well_ms = None
    while well_ms is None and now < 10_000_000:
        now += 500
        parts[0].alive_ms = parts[1].alive_ms = now
        watch.step(now)
        if not watch._was_cured(0):
            well_ms = now
    assert well_ms is not None and well_ms >= 1000 + 600_000
