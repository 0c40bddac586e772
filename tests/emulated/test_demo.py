"""The whole path on the real MicroPython: nothing lost, nothing twice."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

_DEMO = "demo --seconds 15 --headless --json".split()


def test_a_demo_loses_nothing_and_doubles_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "host_tools", *_DEMO],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["runtime"].startswith("micropython")
    assert (result["lost"], result["duplicated"], result["altered"]) == (0, 0, 0)
    assert result["answered"] > 0 and result["stored"] > 0
