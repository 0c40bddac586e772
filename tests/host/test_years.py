"""Weeks of field life on CPython, days of it on MicroPython too: the same blocks, none lost."""

import pytest

from agent.codec_read import Decoded
from agent.codec_rows import Rows
from tests.years import _BROKEN, live, live_on_micropython


@pytest.fixture(autouse=True)
def _codec(monkeypatch):
    """What is compiled for these years is not what other tests decode by."""
    monkeypatch.setattr(Rows, "kernel", Rows.kernel)
    monkeypatch.setattr(Decoded, "reader", Decoded.reader)


@pytest.mark.parametrize("seed", [1, 2])
def test_weeks_of_trouble_loses_nothing_silently(seed):
    found = live(seed, 15)
    assert not any(found[name] for name in _BROKEN), found["wrong"]
    assert found["troubles"] > 20 and found["starts"] > 8 and found["declared"] > 8
    whole = found["stored"] + found["superseded"] + found["declared"]
    assert found["answered"] == whole > 1500


def test_both_runtimes_give_the_same_blocks():
    ours, theirs = live(3, 6), live_on_micropython(3, 6)
    assert theirs["wrong"] == [] and ours["digest"] == theirs["digest"]
    assert ours["answered"] == theirs["answered"] > 500
