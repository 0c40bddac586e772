"""`make compliance`: run the tests that the provisions name, keep what they say, write the page.

Writes host_tools/compliance/results.json (to be committed), build/compliance.html and the bill of
materials build/sbom.cdx.json. One closing line; exit code 1 when a test fails or did not run.
`--from build/tests.xml` takes the report of `make test` instead of running anything.
"""

import argparse
import collections
import datetime
import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from host_tools.compliance import page, results
from host_tools.compliance.provisions import proofs
from tests import sbom
from tests.closing import close

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"


def run(names: list[str], report: Path) -> None:
    """Run the files and tests of these names; what they say is in the report (JUnit XML)."""
    files = {name for name in names if "::" not in name}
    wanted = [name for name in names if "::" not in name or name.split("::")[0] not in files]
    command = [sys.executable, "-m", "pytest", "-n", "2", f"--junitxml={report}"]
    subprocess.run(
        [*command, *(f"tests/{name}" for name in wanted)],
        cwd=ROOT,
        env=os.environ | {"ECLOR_GATEWAYS": "10000"},
        check=False,
    )


def count(names: list[str], report: Path) -> dict[str, list[int]]:
    """Return [passed, failed, skipped] of each name; a case of parameters counts for its test."""
    cases: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for case in ElementTree.parse(report).iter("testcase"):
        path = case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py"
        test = f"{path}::{case.get('name', '').split('[')[0]}"
        failed = case.find("failure") is not None or case.find("error") is not None
        outcome = 1 if failed else 2 if case.find("skipped") is not None else 0
        for name in (path, test):
            cases[name][outcome] += 1
    return {name: cases[name] for name in names if name in cases}


def main() -> int:
    """Run, count, write; 0 when every named test ran and none failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", type=Path, dest="report", help="run nothing, read this report")
    report = parser.parse_args().report
    BUILD.mkdir(exist_ok=True)
    names = proofs()
    if not report:
        report = BUILD / "compliance.xml"
        report.unlink(missing_ok=True)
        run(names, report)
    if not report.exists():
        print("compliance: the tests did not run")
        return 1
    kept = json.loads(results.RESULTS.read_text()) if results.RESULTS.exists() else {}
    found: dict[str, Any] = kept | {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "version": metadata.version(sbom.PROJECT),
        "tests": count(names, report),
    }
    results.RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    (BUILD / "compliance.html").write_text(page.page(found), encoding="utf-8")
    sbom.write(BUILD / "sbom.cdx.json")
    rows = results.assess(found)
    statuses = collections.Counter(row.status for row in rows)
    cases = sum(numbers[0] for name, numbers in found["tests"].items() if "::" not in name)
    held = not statuses[results.FAILS] and not statuses[results.NOT_RUN]
    close(
        "compliance",
        f"compliance: {len(rows)} provisions: {statuses[results.HOLDS]} hold,"
        f" {statuses[results.FAILS]} fail, {statuses[results.NOT_RUN]} were not run,"
        f" {statuses[results.BEYOND]} are not the firmware's; {cases} cases passed;"
        " build/compliance.html, build/sbom.cdx.json",
        held=held,
    )
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
