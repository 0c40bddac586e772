"""What `make coverage` says of a report, and that a run without tracing is no measure."""

import importlib
import os
import subprocess
import sys
from typing import Any

import pytest

branches: Any = importlib.import_module("tests.branches")


def _file(lines: int, missing: list[int], taken: int, of: int) -> dict[str, Any]:
    return {
        "summary": {
            "num_statements": lines,
            "covered_lines": lines - len(missing),
            "num_branches": of,
            "covered_branches": taken,
        },
        "missing_lines": missing,
        "missing_branches": [[7, -3]] * (of - taken),
    }


def _report(**changed: Any) -> dict[str, Any]:
    names = [f"agent/{name}.py" for group in branches.WHOLE.values() for name in group]
    names[names.index("agent/boot.py")] = "firmware/boot.py"
    files = {name: _file(10, [], 4, 4) for name in [*names, "drivers/x.py", "boards/y.py"]}
    return {"files": files | changed}


def test_what_is_whole_misses_no_bar():
    assert branches.missed(branches.rows(_report())) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"agent/journal.py": _file(10, [3], 4, 4)}, "journal: journal is not whole: 3"),
        ({"firmware/boot.py": _file(99, [], 3, 4)}, "boot: boot is not whole: 7->exit"),
        ({"drivers/x.py": _file(100, [1, 2, 3, 4, 5, 6], 0, 0)}, "drivers: 94.0 %, not 95"),
    ],
)
def test_what_is_missed_is_said(changed, words):
    assert branches.missed(branches.rows(_report(**changed))) == [words]


def test_what_was_not_measured_misses_its_bars():
    report = _report()
    del report["files"]["boards/y.py"], report["files"]["agent/trial.py"]
    assert branches.missed(branches.rows(report)) == [
        "boards: nothing was measured",
        "update: trial is not whole: was not measured",
    ]


def test_the_table_names_what_is_missing_first():
    changed = {"agent/bus.py": _file(10, [9], 4, 4), "agent/clock.py": _file(10, [1, 2], 4, 4)}
    lines = branches.table(branches.rows(_report(**changed))).splitlines()
    assert lines[0].startswith("agent") and "98.7 %" in lines[0].replace("  ", " ")
    assert "agent/clock.py" in lines[1] and "agent/bus.py" in lines[2]


def test_a_test_that_takes_the_tracing_away_fails(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import sys\ndef test_before(): pass\ndef test_bad(): sys.settrace(None)\n"
        "def test_after(): pass\n"
    )
    command = [sys.executable, "-m", "coverage", "run", f"--data-file={tmp_path}/data"]
    command += ["--rcfile=/dev/null", "-m", "pytest", "-q", "-p", "tests.branches", "-rf"]
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), f"{tmp_path}/test_it.py"],
        cwd=branches.ROOT,
        env={name: value for name, value in os.environ.items() if "XDIST" not in name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "this test takes the tracing away" in done.stdout
    assert "an earlier test took the tracing away" in done.stdout
