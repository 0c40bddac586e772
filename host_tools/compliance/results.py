"""What the tests said last, joined with the provisions.

results.json is written by `make compliance` and travels with the command, so that who has no
sources sees it too. Not the tests themselves.

    rows = assess(read())
    rows[0].status      # "holds", "fails", "not run", "beyond"
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from host_tools.compliance.provisions import STANDARDS, Provision
from host_tools.problems import INPUT, MISSING, Problem

RESULTS = Path(__file__).with_name("results.json")
HOLDS, FAILS, NOT_RUN, BEYOND = "holds", "fails", "not run", "beyond"


@dataclass(frozen=True)
class Proof:
    """One test file, or one test: how many of its cases passed, failed, were skipped."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def status(self) -> str:
        """FAILS when one failed, HOLDS when one passed and none failed, else NOT_RUN."""
        if self.failed:
            return FAILS
        return HOLDS if self.passed else NOT_RUN


@dataclass(frozen=True)
class Row:
    """One provision and what its tests said."""

    standard: str
    provision: Provision
    proofs: tuple[Proof, ...]

    @property
    def status(self) -> str:
        """The worst of its proofs; BEYOND where there is none."""
        found = {proof.status for proof in self.proofs}
        return next((s for s in (FAILS, NOT_RUN, HOLDS) if s in found), BEYOND)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return {
            "standard": self.standard,
            "provision": self.provision.number,
            "asks": self.provision.asks,
            "how": self.provision.how,
            "status": self.status,
            "beyond": self.provision.beyond,
            "proofs": [
                {
                    "test": p.name,
                    "passed": p.passed,
                    "failed": p.failed,
                    "skipped": p.skipped,
                }
                for p in self.proofs
            ],
        }


def read(path: Path = RESULTS) -> dict[str, Any]:
    """Return {"date", "version", "tests": {proof: [passed, failed, skipped]}}."""
    try:
        found = json.loads(path.read_text())
        tests = found["tests"]
        if not all(len(row) == 3 for row in tests.values()):
            raise ValueError("a test needs three numbers")
    except FileNotFoundError:
        remedy = "run `make compliance`"
        raise Problem(f"there are no results in {path}", remedy, code=MISSING) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "run `make compliance` again"
        raise Problem(f"{path} holds no results: {error}", remedy, code=INPUT) from None
    return dict(found)


def assess(results: dict[str, Any]) -> list[Row]:
    """Return a row for each provision, in the documents' order."""
    tests = results["tests"]
    return [
        Row(standard, row, tuple(Proof(name, *tests.get(name, ())) for name in row.proofs))
        for standard, provisions in STANDARDS.items()
        for row in provisions
    ]
