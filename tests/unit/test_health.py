"""The mildest cure first, each counted, and none again before its time."""

from agent.health import BOARD, INTERFACE, STORM, UPLINK, Health, has_room


class Journal:
    acked = 5
    next = 6


def make(dead_h=0, rooms=()):
    answers = list(rooms)
    journal = Journal()
    return Health(journal, dead_h, lambda: answers.pop(0) if answers else True), journal


def cures(health, seconds, step_s=60):
    found = []
    for second in seconds if isinstance(seconds, list) else range(0, seconds, step_s):
        cure, why = health.step(second)
        if cure:
            assert why
            found.append((second, cure))
    return found


def test_a_gateway_that_works_is_left_alone():
    health, _ = make(dead_h=1)
    assert cures(health, 100000) == []
    assert health.counts == {"task": 0, "port": 0, UPLINK: 0, INTERFACE: 0, BOARD: 0}


def test_a_storm_of_errors_restarts_the_board_and_single_ones_do_not():
    health, _ = make()
    for second in range(0, 60 * 2 * STORM, 120):
        health.failed(second)
        assert health.step(second) == ("", "")
    health, _ = make()
    for second in range(STORM):
        assert health.step(second) == ("", "")
        health.failed(second)
    assert health.step(STORM)[0] == BOARD and health.step(STORM + 1) == ("", "")
    assert health.counts["task"] == STORM and health.counts[BOARD] == 1


def test_a_task_without_memory_costs_the_uplink_then_the_board():
    health, _ = make()
    health.starved()
    assert health.step(10)[0] == UPLINK and health.step(11) == ("", "")
    health.starved()
    assert health.step(20) == ("", "")  # what the uplink held may not be free yet
    health.starved()
    assert health.step(25)[0] == BOARD
    health, _ = make()
    for second in (700, 1400):  # the mild cure helped for ten minutes
        health.starved()
        assert health.step(second)[0] == UPLINK
    assert health.counts["task"] == 2


def test_a_ports_errors_cost_no_board():
    health, _ = make()
    for second in range(3 * STORM):
        health.failed(second, True)
        assert health.step(second) == ("", "")
    assert health.counts["task"] == 3 * STORM


def test_a_heap_in_pieces_costs_the_uplink_then_the_board():
    health, _ = make(rooms=(True, False, False, True))
    assert cures(health, 3000) == [(1200, UPLINK), (1800, BOARD)]
    health, _ = make(rooms=(False, True, False, True))  # the mild cure helped
    assert cures(health, 3000) == [(600, UPLINK), (1800, UPLINK)]


def test_a_dead_uplink_costs_the_interface_then_the_board_and_again_only_later():
    health, journal = make(dead_h=2)
    journal.next = 10
    assert cures(health, 14500) == [(3600, INTERFACE), (7200, BOARD), (10800, INTERFACE),
                                    (14400, BOARD)]  # fmt: skip


def test_an_acknowledgement_or_nothing_to_send_begins_anew():
    health, journal = make(dead_h=2)
    journal.next = 10
    assert cures(health, 3700) == [(3600, INTERFACE)]
    journal.acked = 7
    assert cures(health, [3700, 7000]) == []
    assert cures(health, [7400]) == [(7400, INTERFACE)]
    journal.acked = 9
    assert cures(health, [7500, 20000, 40000]) == []
    health, journal = make(dead_h=0)
    journal.next = 10
    assert cures(health, 1000000, 3000) == []


def test_room_is_what_the_heap_can_give():
    assert has_room(1000)
    assert not has_room(1 << 60)
