"""Captures of real SML and P1 meters against what independent decoders give."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.dsmr import DSMR
from drivers.reading import decimal_text
from drivers.sml import SML
from drivers.sml_values import obis_text
from tests.fakes.collector_of_readings import Collected

CORPUS = Path(__file__).resolve().parents[2] / "../shared/corpus"
pytestmark = pytest.mark.skipif(not CORPUS.exists(), reason="no ../shared/corpus here")


def _number(row):
    value, exponent = row[0], row[1]
    return value if isinstance(value, bytes) else Decimal(decimal_text(value, exponent))


def _files(folder, ending):
    return sorted((CORPUS / folder).glob("*" + ending)) if CORPUS.exists() else []


def test_every_sml_value_is_what_smllib_gives() -> None:
    compared = 0
    for file in _files("sml", ".smllib.json"):
        expected = json.loads(file.read_text())["frames"]
        data = file.with_name(file.name.replace(".smllib.json", ".bin")).read_bytes()
        frames = Collected(SML(None, {})).feed(data).frames
        assert len(frames) == len(expected), file.name
        for frame, values in zip(frames, expected, strict=True):
            for value in values:
                row = frame[obis_text(bytes.fromhex(value["obis"]), 0)]
                if isinstance(row[0], bytes):
                    assert value["raw"] in (row[0].hex(), row[0].decode("latin-1")), file.name
                else:
                    assert (row[0], row[1]) == (value["raw"], value["scaler"] or 0), file.name
                compared += 1
    assert compared > 7000


def test_every_sml_value_of_libsml_is_given() -> None:
    for file in _files("sml", ".libsml.json"):
        telegrams = json.loads(file.read_text())["telegrams"]
        data = file.with_name(file.name.replace(".libsml.json", ".bin")).read_bytes()
        frames = Collected(SML(None, {})).feed(data).frames
        for telegram in telegrams:
            texts = {
                obis_text(bytes.fromhex(value["obis"]), 0): bytes.fromhex(value["octets"])
                for value in telegram["values"]
                if "octets" in value
            }
            assert any(
                all(frame.get(code, (None,))[0] == text for code, text in texts.items())
                for frame in frames
            ), file.name


def test_every_p1_value_is_in_the_readings_and_bad_checksums_give_none() -> None:
    compared = 0
    for file in _files("dsmr", ".telegram"):
        expected = json.loads(file.with_suffix(".expected.json").read_text())
        got = Collected(DSMR(None, {})).feed(file.read_bytes()).silence()
        if expected["crc"] and not expected["crc"]["ok"]:
            assert not got.rows and len(got.errors) == 1, file.name
            continue
        assert len(got.rows) == 1 and not got.errors, (file.name, got.errors)
        for code, groups in expected["lines"]:
            found = [row[1:] for row in got.rows[0] if row[0] == code]
            if code.endswith("24.3.0"):  # a profile: its last group is the value
                assert _number(found[0]) == Decimal(groups[-1]) and found[0][4] is not None
                continue
            for group in groups:
                text, _, unit = group.partition("*")
                if len(groups) > 1 and text[-1:] in ("S", "W"):
                    continue  # the time of the value behind it
                values = [_number(row) for row in found if row[2] == unit]
                assert text.encode() in values or Decimal(text) in values, (file.name, code)
                compared += 1
    assert compared > 350
