"""Captures of French meters against tic2json, an independent decoder, and against the checksum."""

import json
from pathlib import Path

import pytest

from drivers.level import Level
from drivers.reading import TEXT
from drivers.tic import TIC
from drivers.tic_labels import look_up
from tests.fakes.collector_of_readings import Collected

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no ../shared/corpus here")
_TIC = sorted((CORPUS / "tic").glob("*.expected.json")) if CORPUS.exists() else []


def _capture(expected: Path) -> bytes:
    name = json.loads(expected.read_text())["file"]
    return (expected.parent / name).read_bytes()


@pytest.mark.parametrize("expected", _TIC, ids=lambda path: path.name.split(".")[0])
def test_every_value_of_tic2json_is_given_in_its_order(expected: Path) -> None:
    got = Collected(TIC(None, {})).feed(_capture(expected)).silence()
    found = [
        (code, row[1])
        for rows in got.rows
        for code, *row in ((cell[0], cell[2], cell[1]) for cell in rows)
        if not code.startswith("STGE.")
    ]
    at = 0
    for frame in json.loads(expected.read_text())["tic2json"]:
        for one in frame:
            label, data = one["label"], one["data"]
            if label.endswith("-") and label.startswith("SMAXSN"):
                label += "1"  # tic2json cuts labels at eight characters
            value = data if isinstance(data, int) else data.encode()
            while at < len(found) and found[at] != (label, value):
                at += 1
            assert at < len(found), f"{label} {data!r} is not given after the value before it"
            at += 1


@pytest.mark.parametrize("expected", _TIC, ids=lambda path: path.name.split(".")[0])
def test_every_group_with_a_right_checksum_and_no_other_is_given(expected: Path) -> None:
    told = json.loads(expected.read_text())
    got = Collected(TIC(None, {})).feed(_capture(expected)).silence()
    given = sum(1 for rows in got.rows for cell in rows if not cell[0].startswith("STGE."))
    good = told["datasets_total"] - told["datasets_bad_checksum"]
    # a few damaged groups pass six bits of checksum: form and label refuse them
    assert good * 0.985 <= given <= good, (given, good, got.errors[:5])
    if not told["datasets_bad_checksum"]:
        assert given == good


def test_every_label_of_the_captures_has_a_name() -> None:
    for expected in _TIC:
        for rows in Collected(TIC(None, {})).feed(_capture(expected)).rows:
            for code, *_ in rows:
                assert code.startswith("STGE.") or look_up(code.encode())


def test_line_sensor_frames_are_what_the_makers_print() -> None:
    compared = 0
    for one in json.loads((CORPUS / "level/frames.json").read_text()):
        if "A02YYUW" in one["sensor"] and "frame" in one:
            rows = Collected(Level(None, {})).feed(bytes.fromhex(one["frame"])).rows
            assert [row[0][1] for row in rows] == [one["mm"]]
            compared += 1
    assert compared


def test_texts_are_texts() -> None:
    for label in (b"ADSC", b"PTEC", b"NGTF"):
        assert look_up(label)[2] == TEXT
