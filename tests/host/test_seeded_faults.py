"""Seeded faults are found: a sample here, all of them by `make faults`."""

import importlib
from pathlib import Path

import pytest

from tests.field_faults import CHANGE_FAULTS
from tests.field_faults import FAULTS as FIELD_FAULTS
from tests.journal_faults import FAULTS as JOURNAL_FAULTS

ROOT = Path(__file__).resolve().parent.parent.parent
# By name: what it imports is device code, which has a type check of its own.
seeded_faults = importlib.import_module("tests.seeded_faults")


def test_every_fault_can_be_seeded():
    assert len(JOURNAL_FAULTS) >= 20 and len(FIELD_FAULTS) >= 25
    assert len(CHANGE_FAULTS) >= 5
    names = [row[0] for row in JOURNAL_FAULTS + FIELD_FAULTS + CHANGE_FAULTS]
    assert len(names) == len(set(names))
    for row in JOURNAL_FAULTS + FIELD_FAULTS + CHANGE_FAULTS:
        for file, old, new in zip(row[1::3], row[2::3], row[3::3], strict=True):
            assert (ROOT / file).read_text().count(old) == 1, (row[0], old)
            assert old != new, row[0]


@pytest.mark.slow
@pytest.mark.parametrize("row", seeded_faults.sample(3), ids=lambda row: row[0].replace(" ", "-"))
def test_a_seeded_fault_is_found(row):
    assert seeded_faults.explore(row)


def test_no_end_is_a_find_and_a_busy_computer_is_none(monkeypatch, tmp_path):
    monkeypatch.setattr(seeded_faults, "_MOST_CPU_S", 1)
    assert seeded_faults._look(tmp_path, "bound()\nwhile True: pass") == "no end"
    monkeypatch.setattr(seeded_faults, "_MOST_S", 1)
    assert seeded_faults._look(tmp_path, "bound()\nimport time\ntime.sleep(60)") == ""
