"""No child outlives its supervisor, however the supervisor ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from host_tools.problems import MISSING, Problem
from host_tools.processes.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
_HOLDER = """
import sys, time
from host_tools.processes.supervisor import Supervisor
with Supervisor() as supervisor:
    # the child ignores the polite signals: only the guard's SIGKILL can end it
    code = "import signal, time; signal.signal(15, 1); signal.signal(1, 1); time.sleep(600)"
    child = supervisor.spawn("stubborn", [sys.executable, "-c", code])
    print(child.process.pid, flush=True)
    {then}
"""


def _gone(pid: int, seconds: float = 8.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def _holder(then: str) -> tuple["subprocess.Popen[str]", int]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER.format(then=then)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline())


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    ("then", "number"),
    [
        ("time.sleep(600)", signal.SIGKILL),
        ("time.sleep(600)", signal.SIGTERM),
        ("time.sleep(600)", signal.SIGINT),
        ("raise RuntimeError('a crash')", None),
        ("import os; os.abort()", None),
    ],
)
def test_no_child_outlives_its_supervisor(then, number):
    process, pid = _holder(then)
    if number is not None:
        os.kill(process.pid, number)
    process.wait(15)
    assert process.stdout is not None
    process.stdout.close()
    assert _gone(pid)


def test_lines_and_the_exit_code_are_handed_over():
    lines: list[str] = []
    codes: list[int] = []
    with Supervisor() as supervisor:
        child = supervisor.spawn(
            "talker",
            [sys.executable, "-c", "print('one'); print('two'); raise SystemExit(7)"],
            on_line=lines.append,
            on_end=codes.append,
        )
        child.process.wait(10)
        child.stop()
    assert lines == ["one", "two"]
    assert codes == [7]


def test_an_absent_program_is_a_problem_with_a_remedy():
    with Supervisor() as supervisor, pytest.raises(Problem) as caught:
        supervisor.spawn("nothing", ["eclor-no-such-program"])
    assert caught.value.code == MISSING
    assert caught.value.remedy
