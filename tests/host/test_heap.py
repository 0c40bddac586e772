"""A gateway's heap stays whole; what tests/heap.py would call a fault, it calls one."""

import dataclasses

import pytest

from tests import heap, heap_world

_SAID = """\
heap build 0 285000 114000
 No. of 1-blocks: 2303, 2-blocks: 435, max blk sz: 442, max free sz: 2900
kept agent agent.app
heap cycle 50 296000 103000
 No. of 1-blocks: 2303, 2-blocks: 435, max blk sz: 442, max free sz: 2800
heap cycle 100 297000 102000
 No. of 1-blocks: 2303, 2-blocks: 435, max blk sz: 442, max free sz: 2700
meter boiler 100 0
meter linky 95 0
journal 30 29 1
"""


def _read(said):
    return heap_world.read(said, heap_world.emulated())


def test_modbus_tic_and_tls_leave_the_wanted_stretch_of_the_heap(record_property):
    with heap_world.World() as world:
        life = world.live(60, extra=world.harness())
    assert life.faults(60) == []
    record_property("measured", f"longest free stretch {life.longest:,} bytes of 64 bits")


def test_what_a_life_says_is_read():
    life = _read(_SAID)
    assert life.at("build").live == 285_000 and life.kept == {"agent", "agent.app"}
    assert (life.longest, life.answers) == (2700 * 32, {"boiler": 100, "linky": 95})
    assert life.faults(100) == []


@pytest.mark.parametrize(
    ("was", "becomes", "said"),
    [
        ("max free sz: 2800", "max free sz: 2559", "the longest free stretch is 81,888"),
        ("cycle 100 297000", "cycle 100 298049", "the live heap grows"),
        ("heap cycle 100", "heap cycle 99", "it broke off"),
        ("linky 95", "linky 89", "the meters answered"),
        ("journal 30 29", "journal 30 20", "the collector has 20"),
        ("journal 30 29", "journal 1 0", "of 0 records"),
        ("agent.app", "agent.app firmware.build", "still loaded while it lives: firmware.build"),
    ],
)
def test_each_fault_is_said(was, becomes, said):
    faults = _read(_SAID.replace(was, becomes)).faults(100)
    assert len(faults) == 1 and said in faults[0], faults


def test_the_figures_are_by_room_and_stage():
    life = _read(_SAID.replace("heap build", "heap import 0 150000 1\nmax free sz: 1\nheap build"))
    traced = dataclasses.replace(life, imports={"agent.app": 9000, "agent.config": 5000})
    words = {"agent": 5000, "import": 90_000, "built": 180_000, "ran": 20_000}
    found = heap.rows(heap.Measured({"agent": 100}, 1000, traced, life, words))
    assert found == [
        ("agent/", 100, 9000, 5000),
        ("all modules that stay", None, 9000, 90_000),
        ("the App is built", None, 284_000, 180_000),
        ("after 100 readings", None, 296_000, None),
    ]
    assert heap.frozen_left(words) == 192 * 1024 - 110_000
