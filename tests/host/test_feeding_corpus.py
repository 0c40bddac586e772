"""Captures of real meters, fed in every way in which a line can deliver them.

What each value must be is checked by test_corpus_obis.py; here what splits, garbage, damage and
repetition make of it. Splits and flips are sampled within a budget of bytes per vector, all of
them are fed with ECLOR_FULL=1 (minutes).
"""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import load
from tests.fakes.collector_of_readings import Collected
from tests.fakes.feeding import feed_every_way

CORPUS = Path(os.environ.get("ECLOR_CORPUS", Path(__file__).parents[2] / "../shared/corpus"))
_BUDGET = 0 if os.environ.get("ECLOR_FULL") else 30_000
_SML_START = b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no ../shared/corpus here")


def _hex(path: Path) -> bytes:
    return bytes.fromhex(re.sub(r"\s", "", path.read_text()))


def _vectors() -> Iterator[tuple[str, str, bytes, bool]]:
    """Yield (name, protocol, bytes, whether a checksum covers them)."""
    for path in sorted(CORPUS.glob("dsmr/*.telegram")):
        data = path.read_bytes()
        yield path.name, "dsmr", data, bool(re.search(rb"![0-9A-F]{4}\s*\Z", data))
    for path in sorted(CORPUS.glob("sml/*.bin")):
        parts = [_SML_START + part for part in path.read_bytes().split(_SML_START)[1:4]]
        whole = [part for part in parts if Collected(_driver("sml")()).feed(part).rows]
        for data in whole[:1]:
            yield path.name, "sml", data, True
    for path in sorted(CORPUS.glob("mbus/test-frames/*.hex")):
        yield path.name, "mbus", _hex(path), True
    for path in sorted(CORPUS.glob("hdlc-dlms/*.hdlc.hex")):
        yield path.name, "dlms", _hex(path), True
    for path in sorted(CORPUS.glob("hdlc-dlms/*.llc.hex")):
        yield path.name, "dlms", _hex(path), False
    for path in sorted(CORPUS.glob("iec62056-21/*.d0")):
        yield path.name, "iec62056", path.read_bytes(), False


def _driver(protocol: str) -> Callable[[], Any]:
    return lambda: load(protocol)(None, {})


_ALL = list(_vectors())
_GOOD = [
    vector for vector in _ALL if Collected(_driver(vector[1])()).feed(vector[2]).silence().rows
]


@pytest.mark.parametrize("vector", _GOOD, ids=lambda vector: f"{vector[1]}-{vector[0]}")
def test_a_capture_gives_the_same_however_it_comes(
    vector: tuple[str, str, bytes, bool],
) -> None:
    _, protocol, data, checked = vector
    desk = protocol in ("iec62056", "dlms")
    feed_every_way(_driver(protocol), data, checked, _BUDGET, desk)


def test_most_captures_are_good() -> None:
    kinds = [vector[1] for vector in _GOOD]
    assert kinds.count("sml") > 20
    assert kinds.count("mbus") > 30
    assert kinds.count("dsmr") > 12
    assert kinds.count("iec62056") > 12
    assert kinds.count("dlms") > 4


@pytest.mark.parametrize("path", sorted(CORPUS.glob("mbus/*-frames/*.hex")), ids=lambda p: p.stem)
def test_a_refused_frame_costs_no_neighbour(path: Path) -> None:
    good = next(data for name, protocol, data, _ in _GOOD if protocol == "mbus")
    rows = Collected(_driver("mbus")()).feed(good).rows
    got = Collected(_driver("mbus")()).feed(good).feed(_hex(path)).silence().feed(good)
    assert got.rows[0] == rows[0]
    assert got.rows[-1] == rows[0]
