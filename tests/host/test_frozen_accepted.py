"""The acceptance test of a gateway whose firmware is frozen into its image."""

import pytest

from agent import slots
from host_tools.acceptance import standing
from host_tools.acceptance.findings import GOOD, NOTE, Report
from host_tools.packing import bundle


class Board:
    """The prompt of such a board; slot: what /slot holds, None: it is not there."""

    def __init__(self, slot=None):
        self.slot = slot

    def files(self, folder="", *, deep=True):
        return {"state": 0} | ({"slot": 1} if self.slot is not None else {})

    def read(self, path):
        assert path == "slot"
        return self.slot

    def value(self, expression, wait_s=0.0):
        assert "VERSION" in expression
        return "0.1.0"


@pytest.mark.parametrize(
    ("slot", "state"),
    [
        (None, GOOD),
        (bundle.slot_state(bundle.FROZEN, "rolled back from a"), GOOD),
        (slots.line_of(["-", "a", 2, 0, 0, ""]), NOTE),
    ],
)
def test_what_is_frozen_in_is_named_and_not_looked_for_in_a_slot(slot, state):
    report = Report("gw", "school", "host", "", "", "")
    standing._firmware(report, Board(slot), None)  # type: ignore[arg-type]
    (check,) = report.checks
    assert check.state == state and "0.1.0" in str(check.what)
    assert report.firmware == "0.1.0"
