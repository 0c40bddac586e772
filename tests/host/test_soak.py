"""`make soak`: a small life of it, and that its verdict can be bad."""

import importlib

import pytest

# By name: what it runs is device code, which has a type check of its own.
soak = importlib.import_module("tests.soak")
PART = "soak ring {} {} {} 5 0\n No. of 1-blocks: 3, 2-blocks: 7, max blk sz: 5, max free sz: {}\n"


def test_a_short_life_leaves_the_heap_whole():
    lives = soak.run(6000)
    assert [one.faults for one in lives] == [[], []]
    assert all(one.trims > 300 and len(one.live) == 10 for one in lives)
    assert [one.appends for one in lives] == [6000, 6000]


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("MemoryError", "broken off"),
        (PART.format(0, 0, 70000, 4000), "broken off"),
        (PART.format(0, 0, 70000, 4000) + PART.format(9, 1, 70000, 3000), "longest free stretch"),
        (
            PART.format(0, 0, 70000, 4000)
            + PART.format(9, 1, 71000, 4000)
            + PART.format(18, 2, 73000, 4000),
            "the live heap grows",
        ),
    ],
)
def test_a_heap_that_goes_to_pieces_is_a_fault(output, says):
    life = soak.Life("ring", rest=output)
    life.read(output + ("soak ring ends\n" if output.count("ring") > 1 else ""))
    assert says in life.faults[0]
    assert life.appends < 20, "what it came to, not what was asked"
