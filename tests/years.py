"""Gateway-years of field life: `make years`, for a release `make years N=1000`.

    python -m tests.years [YEARS] [--again] [--seed N]

Each year is one gateway, one seed (tests/system/years_world.py), a process of its own; some
months are lived again on MicroPython, and must give the same blocks. A year that is done is kept
in build/years.json for as long as no source changes, so a run that was broken off goes on where
it was. `--seed` replays one year and prints what went wrong and what happened there. The last
line says it all; the exit code is 1 when a promise was broken.
"""

import argparse
import gc
import hashlib
import json
import os
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path
from typing import Any

from tests.closing import close
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / "build" / "years.json"
sys.path.insert(0, str(ROOT / "host_tools" / "shim"))  # `micropython` for agent/
_YEARS = 10
_DAYS = 365
_TWIN_EVERY = 10  # of so many years one has a month that MicroPython lives too
_TWIN_DAYS = 10
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


def live(seed: int, days: int = _DAYS) -> Summary:
    """Live a year on this Python, with the codec's kernel compiled where numba is there."""
    from tests.fakes.compiled_codec import compile_codec
    from tests.system.years_world import explore, summary

    compile_codec()
    gc.collect()
    gc.freeze()  # a gateway calls gc.collect() at every start
    return summary(explore(seed, days))


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
        words = (done.stdout + done.stderr)[-2000:]
        return {"digest": "", "wrong": [["micropython", words]], **dict.fromkeys(_BROKEN, 1)}
    return found


def live_year(seed: int) -> Summary:
    """Live one year, and for some of them ten days on both runtimes."""
    found = live(seed)
    found["twins"] = 0
    if seed % _TWIN_EVERY == 1:
        found["twins"] = _TWIN_DAYS
        ours, theirs = live(seed, _TWIN_DAYS), live_on_micropython(seed, _TWIN_DAYS)
        if ours["digest"] != theirs["digest"]:
            found["altered"] += 1
            found["wrong"].append(["other blocks on MicroPython", theirs["wrong"]])
    return found


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
        n = {name: f"{self.sum(name):,}" for name in (*_COUNTS, *_BROKEN, "twins")}
        return (
            f"years: {len(self.done):,} gateway-years in {seconds:.0f} s;"
            f" {n['troubles']} troubles, {n['starts']} starts;"
            f" {n['answered']} answered = {n['stored']} stored + {n['superseded']} superseded"
            f" + {n['declared']} declared + {n['lost']} lost;"
            f" doubled {n['doubled']}, altered {n['altered']}, broken {n['broken']};"
            f" {n['twins']} days the same on MicroPython"
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
        found = live_year(options.seed)
        show(options.seed, found)
        print(json.dumps({name: found[name] for name in (*_COUNTS, *_BROKEN)}))
        return 1 if any(found[name] for name in _BROKEN) else 0
    total = Total(options.again)
    begun = time.monotonic()
    if total.done:
        print(f"years: {len(total.done):,} are done already with these sources ({STATE.name})")
    seeds = (seed for seed in range(1, 1 << 30) if seed not in total.done)
    running: dict[Future[Summary], int] = {}
    workers = os.cpu_count() or 2
    with ProcessPoolExecutor(workers) as pool:
        while running or len(total.done) < options.years:
            while len(running) < workers and len(total.done) + len(running) < options.years:
                seed = next(seeds)
                running[pool.submit(live_year, seed)] = seed
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                seed = running.pop(future)
                total.add(seed, future.result())
                if future.result()["wrong"]:
                    show(seed, future.result())
    close("years", total.line(time.monotonic() - begun))
    return 1 if total.broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
