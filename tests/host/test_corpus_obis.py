"""Captures of real meters against what independent decoders give."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from drivers.dlms import DLMS
from drivers.dsmr import DSMR
from drivers.iec62056 import IEC62056
from drivers.mbus import MBus
from drivers.obis_code import obis_text
from drivers.reading import UNAVAILABLE, decimal_text
from drivers.sml import SML
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


def test_every_m_bus_record_is_what_libmbus_gives_and_errors_give_none() -> None:
    compared = 0
    for file in _files("mbus", ".hex") + _files("mbus/test-frames", ".hex"):
        reference = file.with_suffix(".libmbus.json")
        expected = json.loads(reference.read_text())["records"] if reference.exists() else []
        got = Collected(MBus(None, {})).feed(bytes.fromhex(file.read_text())).silence()
        for record in expected:
            row = got.frames[0][record["id"]]
            text = record.get("Value") or ""
            if not text:
                continue  # a read-out's end, no value
            if row[0] is None:
                assert row[3] == UNAVAILABLE, file.name  # letters in BCD, an invalid date
            elif isinstance(row[0], bytes):
                raw = text.replace(" ", "").lower()
                assert raw == row[0].hex() or text.strip("Z ") == row[0].decode("latin-1").strip()
            else:
                difference = Decimal(decimal_text(row[0], row[1])) - Decimal(text)
                assert abs(difference) < Decimal("0.000001"), (file.name, record)
            compared += 1
    assert compared > 430
    for file in _files("mbus/error-frames", ".hex"):
        got = Collected(MBus(None, {})).feed(bytes.fromhex(file.read_text())).silence()
        assert not got.rows and got.errors, file.name


def test_every_iec_62056_value_is_in_the_readings() -> None:
    compared = 0
    for file in _files("iec62056-21", ".d0"):
        expected = json.loads(file.with_suffix(".expected.json").read_text())["data"]
        got = Collected(IEC62056(None, {})).feed(file.read_bytes()).silence()
        rows = [row for frame in got.rows for row in frame]
        assert rows, (file.name, got.errors)
        for code, text, unit in expected:
            if code is None or code.startswith("P.") or "*" in text:
                continue
            found = [_number(row[1:]) for row in rows if row[0] == code]
            spare = [Decimal(text)] if unit or (text.count(".") == 1 and "V" not in text) else []
            assert text.encode() in found or (spare and spare[0] in found), (
                file.name,
                code,
                found,
            )
            compared += 1
    assert compared > 400


def test_every_dlms_value_is_what_amshan_gives() -> None:
    codes = {
        "active_power_import": "1.7.0",
        "reactive_power_export": "4.7.0",
        "current_l1": "31.7.0",
        "current_l3": "71.7.0",
        "voltage_l1": "32.7.0",
        "voltage_l3": "72.7.0",
        "active_power_import_total": "1.8.0",
        "reactive_power_export_total": "4.8.0",
    }
    compared = 0
    for file in _files("hdlc-dlms", ".hex"):
        name = file.name.replace(".llc.hex", "").replace(".hdlc.hex", "")
        messages = json.loads(file.with_name(name + ".expected.json").read_text())["messages"]
        got = Collected(DLMS(None, {})).feed(bytes.fromhex(file.read_text())).silence()
        for message in messages:
            for key, value in (message["decoded"] or {}).items():
                if key in codes:
                    ending = ":" + codes[key] + "*255"
                    found = [_number(r[1:]) for r in got.rows[0] if r[0].endswith(ending)]
                    assert Decimal(str(value)) in found, (file.name, key)
                    compared += 1
    assert compared > 25
