"""Feeds one vector to a driver in every way in which a line can deliver it.

    spent = feed_every_way(lambda: SML(None, {}), data)

Whole, byte by byte, in every two-way split, twice, with each bit flipped between two good ones,
with garbage before, between and after. What the vector gives whole is what it must give each
time; a damaged copy may give nothing, or the same, or values marked IMPLAUSIBLE, and never costs a
neighbour. `budget` bounds the bytes fed for splits and for flips: longer vectors are sampled.

A vector without an end of its own (a bare load profile) is ended by silence: `closed` is then
false, and it is found out. `checked`: a checksum covers the vector, so a flipped bit must not
pass.
"""

from drivers.reading import IMPLAUSIBLE
from tests.fakes.collector_of_readings import Collected

# Neither a frame nor its start in any protocol here; zeros, escapes and line ends are among it.
_GARBAGE = b"\x00\xff\x1b\x1b\x01\x55\x00\x13\x37\xaa\x1b\x1b\x1b\x1b\x1b\x0d\x0a\x80\xc3"


def _step(length, count, budget):
    """Return each how manieth of count cases can be fed, each of length bytes."""
    return max(1, (length * count + budget - 1) // budget) | 1 if budget else 1


def _is_told(row):
    """Return whether a reading of damaged bytes says so with each value."""
    for cell in row:
        if cell[4] != IMPLAUSIBLE:
            return False
    return True


def _one_by_one(driver, data):
    got = Collected(driver)
    for i in range(len(data)):
        got.feed(data, i, i + 1)
    return got


def feed_every_way(make, data, checked=True, budget=0, desk=False):
    """Feed data in all ways; return how many bytes were fed. AssertionError names the way.

    make     returns a fresh driver
    checked  a flipped bit must not give another value
    budget   bytes that splits may take, and flips again; 0: all of them
    desk     the driver also takes text outside of frames, so garbage ends with a silence
    """
    first = Collected(make()).feed(data)
    is_closed = len(first.rows) > 0
    good = first.silence().rows
    count = len(good)
    assert count, ("the vector gives nothing", first.errors)
    is_closed = is_closed and len(Collected(make()).feed(data).rows) == count
    length = len(data)
    spent = 4 * length

    assert _one_by_one(make(), data).silence().rows == good, "byte by byte"
    for cut in range(1, length, _step(length, length, budget)):
        got = Collected(make()).feed(data, 0, cut).feed(data, cut).silence()
        assert got.rows == good, ("split", cut, got.errors)
        spent += length

    driver = make()
    got = Collected(driver).feed(data).silence().feed(data).silence()
    assert got.rows == good + good, ("twice", got.errors)
    got = Collected(driver).feed(_GARBAGE).silence().feed(data).silence().feed(_GARBAGE).silence()
    assert got.rows[-count:] == good and (desk or got.rows == good), ("garbage", got.errors)
    if is_closed:
        assert Collected(driver).feed(data + data).silence().rows == good + good, "twice at once"
        if not desk:
            got = Collected(driver).feed(_GARBAGE + data + _GARBAGE + data + _GARBAGE).silence()
            assert got.rows == good + good, ("garbage between", got.rows, got.errors)

    for bit in range(0, 8 * length, _step(3 * length, 8 * length, budget)):
        bad = bytearray(data)
        bad[bit >> 3] ^= 1 << (bit & 7)
        if is_closed:
            got = Collected(driver).feed(data + bytes(bad) + data).silence()
        else:
            got = Collected(driver).feed(data).silence().feed(bad).silence()
            got.feed(data).silence()
        spent += 3 * length
        assert len(got.rows) >= 2 * count, ("flip costs a neighbour", bit, got.rows, got.errors)
        assert got.rows[:count] == good, ("flip costs the one before", bit, got.errors)
        assert got.rows[-count:] == good, ("flip costs the next", bit, got.errors)
        if checked:
            for row in got.rows[count:-count]:
                assert row in good or _is_told(row), ("flip passes", bit, row)
    return spent
