"""Which branches of the device's code the tests take: `make coverage`.

    python -m tests.branches [--report]

coverage.py measures what runs on CPython: tests/unit, tests/system and those files of tests/host
that are about device code. What runs on MicroPython alone is left out by name, with the reason,
in pyproject.toml (tool.coverage). One table by folder and module, then one line; exit code 1 when
a bar is missed or a test failed.

It is also the plugin of that run (-p tests.branches). Two things once made half of what is tested
look untested: a test that took the tracing of its worker away, which fails now; and workers that
xdist kills when they have not ended in ten seconds, their data unsaved, so each saves at the end
of its session, and a worker that has not is an error.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import coverage
import pytest

from tests.closing import close

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "coverage"
FOLDERS = ("agent", "drivers", "firmware", "boards")
BAR = 95.0
# All of them, and of what they are made of.
WHOLE = {
    "journal": ("journal", "recovery", "tail", "saves", "ring", "heads", "pages", "record"),
    "boot": ("boot",),
    "update": ("update", "trial", "slots", "signature", "fetch", "upgrade"),
}
_HOST = (
    "boards key_rotation map_file modbus_maps parse purge_image read site_file sites"
    " sim_meters sim_pushers write"
).split()
# Long under tracing, and they pass where others pass too.
_LEFT_OUT = (
    "tests/system/test_journal_cuts.py",
    "tests/system/test_field_life.py::test_a_full_journal_declares_what_it_dropped",
    "tests/system/test_field_life.py::test_power_that_goes_at_every_flash_operation_of_an_hour_loses_nothing",
)
_WORKERS = 2


class Row(NamedTuple):
    """A module or a folder: statements and branches, how many of them ran."""

    name: str
    statements: int
    run: int
    branches: int
    taken: int
    missing: str = ""

    @property
    def percent(self) -> float:
        """Return how much ran, of statements and branches together; what is empty is whole."""
        every = self.statements + self.branches
        return 100.0 * (self.run + self.taken) / every if every else 100.0


def rows(found: dict[str, Any]) -> list[Row]:
    """Return the modules of coverage.py's JSON report, by name."""
    made = []
    for name, file in sorted(found["files"].items()):
        said = file["summary"]
        lines = [str(line) for line in file["missing_lines"]]
        lines += [f"{a}->{b if b > 0 else 'exit'}" for a, b in file["missing_branches"]]
        made.append(
            Row(
                name,
                said["num_statements"],
                said["covered_lines"],
                said["num_branches"],
                said["covered_branches"],
                " ".join(lines),
            )
        )
    return made


def total(name: str, parts: list[Row]) -> Row:
    """Return the sum of rows."""
    return Row(name, *(sum(getattr(part, field) for part in parts) for field in Row._fields[1:5]))


def missed(modules: list[Row]) -> list[str]:
    """Return each bar that is missed, in words."""
    words = []
    for folder in FOLDERS:
        parts = [row for row in modules if row.name.startswith(folder + "/")]
        if not parts:
            words.append(f"{folder}: nothing was measured")
        elif total(folder, parts).percent < BAR:
            words.append(f"{folder}: {total(folder, parts).percent:.1f} %, not {BAR:.0f}")
    by_name = {Path(row.name).stem: row for row in modules if not row.name.startswith("drivers/")}
    for idea, names in WHOLE.items():
        for name in names:
            row = by_name.get(name)
            if row is None or row.percent < 100.0:
                reason = row.missing[:200] if row else "was not measured"
                words.append(f"{idea}: {name} is not whole: {reason}")
    return words


def table(modules: list[Row]) -> str:
    """Return the table: each folder, then its modules, those that lack most first."""
    lines = []
    for folder in FOLDERS:
        parts = [row for row in modules if row.name.startswith(folder + "/")]
        for row in [total(folder, parts), *sorted(parts, key=lambda row: row.percent)]:
            is_one = row.name != folder
            if is_one and row.percent == 100.0:
                continue
            lines.append(
                f"{'  ' * is_one}{row.name:<{34 - 2 * is_one}} {row.percent:6.1f} %"
                f"  {row.run}/{row.statements} statements {row.taken}/{row.branches} branches"
                f"  {row.missing[:120]}".rstrip()
            )
        whole = sum(row.percent == 100.0 for row in parts)
        lines.append(f"  {whole} of {len(parts)} modules of {folder} are whole")
    return "\n".join(lines)


def run() -> int:
    """Run the tests under coverage.py; return pytest's exit code."""
    shutil.rmtree(BUILD, ignore_errors=True)
    BUILD.mkdir(parents=True)
    names = ["tests/unit", "tests/system", *(f"tests/host/test_{name}.py" for name in _HOST)]
    command = ["coverage", "run", "-m", "pytest", "-p", "tests.branches"]
    options = [
        "-n",
        str(_WORKERS),
        "--dist",
        "worksteal",
        "-p",
        "no:cacheprovider",
        "--no-header",
        "-r",
        "fE",
    ]
    options += [f"--deselect={name}" for name in _LEFT_OUT]
    code = subprocess.run(
        [sys.executable, "-m", *command, *options, *names], cwd=ROOT, check=False
    ).returncode
    for number in range(_WORKERS):
        if not (BUILD / f"gw{number}.saved").exists():
            raise RuntimeError(f"what worker gw{number} measured was not saved")
    return code


def main() -> int:
    """Run, combine, print; 0 when every bar is reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--report", action="store_true", help="run nothing, read the last run")
    only_report = parser.parse_args().report
    os.nice(0 if only_report else 10)
    code = 0 if only_report else run()
    tool = [sys.executable, "-m", "coverage"]
    if not only_report:
        subprocess.run([*tool, "combine", "--quiet"], cwd=ROOT, check=True)
    report = BUILD / "report.json"
    subprocess.run(
        [*tool, "json", "--quiet", "--ignore-errors", "-o", str(report)], cwd=ROOT, check=True
    )
    modules = rows(json.loads(report.read_text()))
    print(table(modules))
    wrong = missed(modules)
    for words in wrong:
        print(f"coverage: {words}")
    every = total("all", modules)
    parts = [
        f"{folder} {total(folder, [r for r in modules if r.name.startswith(folder)]).percent:.1f}"
        for folder in FOLDERS
    ]
    whole = sum(len(names) for names in WHOLE.values())
    lacking = len(wrong) - sum(words.split(":")[0] in FOLDERS for words in wrong)
    line = (
        f"coverage: {every.percent:.1f} % of {every.statements:,} statements and"
        f" {every.branches:,} branches ({', '.join(parts)}); journal, boot, update:"
        f" {whole - lacking} of {whole} modules whole"
    )
    ended = "tests failed" if code else "bars missed" if wrong else "all bars reached"
    held = not wrong and not code
    close("coverage", f"{line}; {ended}", held=held)
    return 0 if held else 1


# --- the plugin


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Save what was measured before anybody may kill this worker."""
    measured = coverage.Coverage.current()
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if measured and worker:
        measured.stop()
        measured.save()
        (BUILD / f"{worker}.saved").touch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Any:
    """Fail a test during which the tracing was taken away."""
    before = sys.gettrace()
    assert before is not None, "nothing is traced any more: an earlier test took the tracing away"
    result = yield
    assert sys.gettrace() is before, "this test takes the tracing away"
    return result


if __name__ == "__main__":
    raise SystemExit(main())
