"""The bytes of many blocks stay what they are: a change of them is a change of format.

tests/fakes/codec_vectors.py has whole blocks that must decode for ever; here a digest stands for
kilobytes of every kind of series, so that a writer and a reader that change alike are seen too.
To change the format on purpose: a new version, an old vector that still decodes, new digests.
"""

# Whole series beside their blocks:
# heap: 1m

from hashlib import sha256

from agent.codec import Block, decode
from tests.fakes.codec_vectors import HASH, Dice, day, even, noise


def steps(count):
    """A state and a tariff that change now and then, beside a counter that mostly stands."""
    dice = Dice(3)
    counter, state = 5, 0
    rows = []
    for i in range(count):
        counter += dice.below(7) if dice.below(9) == 0 else 0
        state = dice.below(4) if dice.below(30) == 0 else state
        rows.append((60000 * i, [counter, state, 1], bytes(3)))
    return rows


def bound(count):
    """Channels of which two add up to a third, one grid of 25, one that repeats in tens."""
    dice = Dice(8)
    first, second = 400, 90
    rows = []
    for i in range(count):
        first += dice.below(31) - 15 if dice.below(3) else 0
        second += dice.below(11) - 5
        values = [first, second, first + second, 25 * (first // 7), (i % 10) * 3 - 7]
        quality = bytes(1 if dice.below(40) == 0 else 0 for _ in values)
        rows.append((1700000000000 + 10000 * i + (i % 13 == 0), values, quality))
    return rows


def wild(count):
    """Numbers of every length, nulls, and times that jump both ways."""
    dice = Dice(21)
    at_ms = 1 << 40
    rows = []
    for _ in range(count):
        at_ms += (dice.below(1 << 12) - 300) << dice.below(20)
        values = [
            (dice.below(1 << 20) << dice.below(43)) * (dice.below(2) or -1) for _ in range(3)
        ]
        values[dice.below(3)] = None
        quality = bytes(dice.below(8) if v is not None else 4 for v in values)
        rows.append((at_ms, values, quality))
    return rows


def smooth(count):
    """Values that go on as they went, one a ramp, one a slow wave, one with its sign turned."""
    rows = []
    wave, speed = 0, 900
    for i in range(count):
        speed -= wave // 64
        wave += speed
        rows.append((900000 * i, [7 * i, wave, -wave * 3, 1 << 40], bytes(4)))
    return rows


# Name: rows, points, digest of all blocks that they give at two sizes.
SERIES = (
    ("day", day(250, 9), 3, "eae4cdd81c6fd707"),
    ("even", even(300), 1, "8746f3869261cf2f"),
    ("noise", noise(120, 1000, True), 3, "1a9593d547d0066a"),
    ("steps", steps(400), 3, "7072996365d39a36"),
    ("bound", bound(250), 5, "86e3adada9e0c608"),
    ("wild", wild(90), 3, "1af042afd32a02a5"),
    ("smooth", smooth(200), 4, "fe6111ec41fd575b"),
)


def blocks(rows, points, size):
    """Return the sealed blocks of these rows, one after the other in one Block."""
    block = Block(points, size)
    block.open(HASH, 2, 1, 77)
    found = []
    for row in rows:
        if not block.add(*row):
            found.append(bytes(block.data[: block.seal()]))
            block.open(HASH, 2, 1, 77)
            assert block.add(*row)
    found.append(bytes(block.data[: block.seal()]))
    return found


def test_series_of_every_kind_give_the_same_bytes_and_come_back():
    for name, rows, points, digest in SERIES:
        mark = sha256()
        for size in (160, 1500):
            back = []
            for data in blocks(rows, points, size):
                mark.update(data)
                back += decode(data).rows
            assert [(at, list(values), bytes(quality)) for at, values, quality in back] == rows, (
                name
            )
        got = "".join(["%02x" % byte for byte in mark.digest()[:8]])
        assert got == digest, (name, got)
