"""What TLS assumes while no clock is set, and that it is never taken for the time."""

from agent.clock import CEILING_MS, FLOOR_MS, Clock
from agent.floor import Floor
from tests.fakes.memory_ground import MemoryGround

WALL = FLOOR_MS + 86400000


def test_an_unset_clock_assumes_the_latest_time_it_knows():
    told = []
    clock = Clock(1)
    floor = Floor(clock, MemoryGround())
    floor.assume(told.append)
    clock.remembered_ms = WALL
    floor.assume(told.append)
    clock.remembered_ms = FLOOR_MS - 1
    floor.assume(told.append)
    assert told == [FLOOR_MS, WALL, FLOOR_MS]
    assert floor.words()


def test_an_assumed_time_is_no_source_after_a_restart():
    ground = MemoryGround()
    floor = Floor(Clock(1), ground)
    assert floor.trusts(WALL)
    floor.assume(lambda ms: None)
    ground = ground.cut()
    again = Floor(Clock(2), ground)
    assert not again.trusts(WALL)
    again.known()
    assert Floor(Clock(3), ground).trusts(WALL)


def test_a_board_clock_out_of_range_is_not_trusted():
    floor = Floor(Clock(1), None)
    for wall_ms in (0, FLOOR_MS - 1, CEILING_MS):
        assert not floor.trusts(wall_ms)


def test_a_known_time_is_left_alone():
    told = []
    clock = Clock(1)
    clock.set_wall(WALL, 0, "sntp")
    floor = Floor(clock, MemoryGround())
    floor.assume(told.append)
    assert told == [] and floor.words() == ""


def test_a_time_of_the_far_future_in_flash_refuses_no_true_time():
    clock = Clock(1)
    clock.remembered_ms = CEILING_MS - 1  # a time server lied in an earlier life
    clock.set_wall(WALL, 0, "sntp")
    assert clock.tls_ms() == WALL


def test_a_flash_that_cannot_be_written_leaves_tls_a_time():
    ground = MemoryGround()
    told = []
    ground.fail = 100
    floor = Floor(Clock(1), ground)
    assert not floor.trusts(WALL)
    floor.assume(told.append)
    assert told == [FLOOR_MS]


def test_a_true_time_that_cannot_be_noted_is_asked_for_again_after_a_restart():
    ground = MemoryGround()
    floor = Floor(Clock(1), ground)
    floor.assume(lambda ms: None)
    ground.fail = 100
    floor.known()
    assert not floor.trusts(WALL)
    assert not Floor(Clock(2), ground.cut()).trusts(WALL)
    bare = Floor(Clock(1), None)
    bare.assume(lambda ms: None)
    assert not bare.trusts(WALL)
    bare.known()
    assert bare.trusts(WALL)
