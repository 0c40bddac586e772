"""A newcomer's minutes: a bare board to an accepted gateway, make run to the first curve."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from host_tools.processes.broker import free_port
from tests import browser, technicians_hour
from tests.bench.figure import Figure
from tests.browser import ROOT

_WAIT_S = 120.0
# A curve, not a point: two readings of one meter are drawn.
_CURVE = """() => [...document.querySelectorAll('.chart')].some(one => {
    const shown = getElement(Number(one.id.slice(1)));
    return shown?.chart?.getOption()?.series?.[0]?.data?.length >= 2;
})"""


def run() -> list[Figure]:
    """Type the script once, start the demonstration once; an error ends the bench."""
    return [*_hour(), *_first_curve()]


def _hour() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        steps = list(technicians_hour.run(Path(folder)))
    wrong = [step for step in steps if step.code]
    if wrong or len(steps) != len(technicians_hour.SCRIPT.splitlines()):
        raise RuntimeError(steps[-1].said)
    how = (
        "tests/technicians_hour.py: the commands as typed, each a process, two meters read 5 times"
    )
    seconds = {step.command.split()[1]: step.seconds for step in steps}
    return [
        Figure("bare board to accepted gateway", sum(s.seconds for s in steps), "s", how),
        Figure("bare board to accepted gateway", len(steps), "commands", how),
        Figure("of it: firmware deployed", seconds["deploy"], "s", how),
        Figure("of it: acceptance test", seconds["accept"], "s", how),
    ]


def _first_curve() -> list[Figure]:
    """Start what `make run` starts, once .venv is there, and look at its page like a person."""
    readme = (ROOT / "README.md").read_text("utf-8")
    before = readme[: re.search(r"^ +make run\b", readme, flags=re.M).end()]  # type: ignore[union-attr]
    figures = [
        Figure(
            "make run: read before it is typed",
            _words(re.sub(r"```.*?```|!\[.*?\]\(.*?\)", "", before, flags=re.S)),
            "words",
            "README.md to its first command, drawings left out",
        )
    ]
    if not browser.CHROMIUM.exists():
        return figures
    seconds, said = _demo()
    figures.append(
        Figure("make run: read until the page is open", _words(said), "words", "what it prints")
    )
    figures.append(
        Figure(
            "make run to the first curve",
            seconds,
            "s",
            "from the start of the process (.venv is there) to two readings of a meter drawn",
        )
    )
    return figures


def _words(text: str) -> int:
    return len(re.findall(r"[\w'/.:-]*\w", text))


def _demo() -> tuple[float, str]:
    port = free_port()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    words = [sys.executable, "-m", "host_tools", "demo", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder, browser.opened() as opened:
        page = opened.new_page()
        with (Path(folder) / "said").open("w+b") as said:
            begun_s = time.monotonic()
            child = subprocess.Popen(
                words, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
            )
            try:
                browser.await_port(child, port, _WAIT_S)
                page.goto(f"http://127.0.0.1:{port}/")
                page.wait_for_function(_CURVE, timeout=_WAIT_S * 1000)
                seconds = time.monotonic() - begun_s
            finally:
                child.send_signal(signal.SIGINT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(30)
                child.kill()
            said.seek(0)
            told = said.read().decode()
    return seconds, told
