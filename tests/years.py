"""Gateway-years of field life: `make years`, for a release `make years N=1000`.

    python -m tests.years [YEARS] [--again] [--seed N]

Each year is one gateway, one seed (tests/system/years_world.py); of some of them ten days are
lived again on MicroPython, and must give the same blocks. Many years are lived on PyPy where
`pypy3` is installed, those ten days then on CPython too. A year that is done is kept in
build/years.json for as long as no source changes, so a run that was broken off goes on where it
was. `--seed` replays one year and prints what went wrong and what happened there. The last
line says it all; the exit code is 1 when a promise was broken.
"""

import argparse
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tests.closing import close
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / "build" / "years.json"
_YEARS = 10
_DAYS = 365
_TWIN_EVERY = 10  # of so many years one has a month that MicroPython lives too
_TWIN_DAYS = 10
_WORTH_PYPY = 20  # years: it is slower until it has seen a few
_CALL = "from tests.system.years_world import report; report(%d, %d)"
_COUNTS = ("answered", "stored", "superseded", "declared", "starts", "troubles")
_BROKEN = ("lost", "doubled", "altered", "broken")

Summary = dict[str, Any]


def digest() -> str:
    """Return what identifies the sources that a result depends on."""
    mark = hashlib.sha256()
    for folder in ("agent", "drivers", "drivers/maps", "firmware", "tests/system", "tests/fakes"):
        for path in sorted((ROOT / folder).glob("*.py")):
            mark.update(path.read_bytes())
    return mark.hexdigest()[:16]


class YearServer:
    """A process that lives one year after the other."""

    def __init__(self, python: str = sys.executable) -> None:
        """python: the interpreter, CPython or PyPy."""
        self.python = python
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.python, str(ROOT / "tests" / "year_server.py")],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def live(self, seed: int, days: int = _DAYS) -> Summary:
        """Live so many days; `wrong` says so when it ended before it could tell."""
        assert self._process.stdin and self._process.stdout
        answer = ""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(f"{seed} {days}\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            self.close()
            self._process = self._start()
            return _failed("its process ended: what it said is above")
        found: Summary = json.loads(answer)
        return found

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


def _failed(why: str) -> Summary:
    counts = dict.fromkeys((*_COUNTS, *_BROKEN), 0)
    return {**counts, "broken": 1, "digest": "", "wrong": [["failed", why]]}


def live_on_micropython(seed: int, days: int) -> Summary:
    """Live so many days on the real MicroPython; `wrong` says so when it could not."""
    done = subprocess.run(
        [interpreter(), "-X", "heapsize=32m", "-c", _CALL % (seed, days)],
        cwd=ROOT,
        env={**os.environ, "MICROPYPATH": ".:.frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        found: Summary = json.loads(done.stdout)
    except ValueError:
        return _failed((done.stdout + done.stderr)[-2000:])
    return found


def live_year(server: YearServer, seed: int) -> Summary:
    """Live one year, and of some of them ten days on each runtime."""
    found = server.live(seed)
    found["twins"] = 0
    if seed % _TWIN_EVERY == 1:
        found["twins"] = _TWIN_DAYS
        theirs = live_on_micropython(seed, _TWIN_DAYS)
        digests = {server.live(seed, _TWIN_DAYS)["digest"]}
        if server.python != sys.executable:
            own = YearServer()
            digests.add(own.live(seed, _TWIN_DAYS)["digest"])
            own.close()
        if digests != {theirs["digest"]}:
            found["altered"] += 1
            found["wrong"].append(["other blocks on MicroPython", theirs["wrong"]])
    return found


def interpreter_for(years: int) -> tuple[str, str]:
    """Return the Python that lives so many years soonest, and its name."""
    pypy = shutil.which("pypy3")
    if pypy and years >= _WORTH_PYPY:
        return pypy, "PyPy"
    return sys.executable, "CPython"


class Total:
    """Years that are done, those of an earlier run with the same sources included."""

    def __init__(self, again: bool) -> None:
        self.digest = digest()
        self.done: dict[int, Summary] = {}
        if STATE.exists() and not again:
            kept = json.loads(STATE.read_text())
            if kept["digest"] == self.digest:
                self.done = {int(seed): found for seed, found in kept["years"].items()}

    def add(self, seed: int, found: Summary) -> None:
        """Count a year and keep it."""
        self.done[seed] = found
        STATE.parent.mkdir(exist_ok=True)
        beside = STATE.with_suffix(".new")
        beside.write_text(json.dumps({"digest": self.digest, "years": self.done}))
        beside.replace(STATE)

    def sum(self, name: str) -> int:
        """Return the sum of one count."""
        return sum(found[name] for found in self.done.values())

    @property
    def broken(self) -> int:
        """How many readings broke a promise."""
        return sum(self.sum(name) for name in _BROKEN)

    def line(self, seconds: float) -> str:
        """Return the closing line."""
        names = sorted({str(found["on"]) for found in self.done.values()})
        n = {name: f"{self.sum(name):,}" for name in (*_COUNTS, *_BROKEN, "twins")}
        return (
            f"years: {len(self.done):,} gateway-years in {seconds:.0f} s;"
            f" {n['troubles']} troubles, {n['starts']} starts;"
            f" {n['answered']} answered = {n['stored']} stored + {n['superseded']} superseded"
            f" + {n['declared']} declared + {n['lost']} lost;"
            f" doubled {n['doubled']}, altered {n['altered']}, broken {n['broken']};"
            f" lived on {' and '.join(names)}, {n['twins']} days the same on MicroPython"
        )


def show(seed: int, found: Summary) -> None:
    """Print what went wrong in a year, and how to see it again."""
    print(f"years: seed {seed}: see it again with: python -m tests.years --seed {seed}")
    for wrong in found["wrong"]:
        print(f"  {wrong}")


def main() -> int:
    """Live until there are so many years; 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("years", nargs="?", type=int, default=_YEARS)
    parser.add_argument("--again", action="store_true", help="forget what an earlier run has done")
    parser.add_argument("--seed", type=int, help="replay one year")
    options = parser.parse_args()
    if options.seed is not None:
        server = YearServer()
        found = live_year(server, options.seed)
        server.close()
        show(options.seed, found)
        print(json.dumps({name: found[name] for name in (*_COUNTS, *_BROKEN)}))
        return 1 if any(found[name] for name in _BROKEN) else 0
    total = Total(options.again)
    begun = time.monotonic()
    if total.done:
        print(f"years: {len(total.done):,} are done already with these sources ({STATE.name})")
    todo = [seed for seed in range(1, options.years + 1) if seed not in total.done]
    python, name = interpreter_for(len(todo))
    idle = [YearServer(python) for _ in range(min(os.cpu_count() or 2, len(todo)))]
    servers = list(idle)
    running: dict[Future[Summary], tuple[int, YearServer]] = {}
    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        while todo or running:
            while todo and idle:
                seed, server = todo.pop(0), idle.pop()
                running[pool.submit(live_year, server, seed)] = (seed, server)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                seed, server = running.pop(future)
                idle.append(server)
                total.add(seed, future.result() | {"on": name})
                if future.result()["wrong"]:
                    show(seed, future.result())
    for server in servers:
        server.close()
    close("years", total.line(time.monotonic() - begun))
    return 1 if total.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
