"""Power cuts in what a gateway keeps: `make powercut`, for a release `make powercut N=1000000`.

    python -m tests.powercut [CUTS] [--again]

Every program and every erase of a day is a cut, in three forms, then one in many of the life
after it (tests/system/journal_day.py). Days differ by seed. With each day goes every change of
configuration, certificates, keys and small files (tests/system/change_worlds.py), and a good and
a bad update of the firmware (tests/host/test_update_cuts.py). A day is explored in shares, each a
process of its own; a share that is done is kept in build/powercut.json for as long as nothing
changes that it imports, so a run that was broken off goes on where it was. The last line says it
all; the exit code is 1 when a promise was broken.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from host_tools.packing.image import imports
from tests.closing import close
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / "build" / "powercut.json"
CUTS = 20_000
sys.path.insert(0, str(ROOT / "host_tools" / "shim"))  # `micropython` for agent/
_SHARES = 8  # of a day
_SAMPLE = 40  # on MicroPython: one operation in so many
_UPDATES = {"good update": True, "bad update": False}
# Where an exploration begins; what these import, they depend on.
_EXPLORERS = {
    "journal": ("tests/system/journal_worlds.py", "agent/store.py", "agent/recovery.py"),
    "change": ("tests/system/change_worlds.py", "agent/store.py"),
    "update": ("tests/host/test_update_cuts.py", "firmware/boot.py"),
}
_KINDS = ("lost", "ghost", "unmountable", "undeclared", "open", "unbootable", "mixed")
_CALL = "from tests.system.%s_worlds import report; report(%r, %d, %d, %d)"

# One share: runtime, world, seed of the day, one operation in so many, from which on.
Share = tuple[str, str, int, int, int]
# Operations of the day, cuts, cuts of depth 2, flipped bits and EIO, broken promises by kind, the
# first in words.
Counts = tuple[int, int, int, int, dict[str, int], str]


def sources(kind: str) -> set[Path]:
    """Return the files that a result of this kind depends on: what its explorer imports."""
    found: set[Path] = set()
    todo = {Path(name) for name in _EXPLORERS[kind]}
    while todo:
        path = todo.pop()
        found.add(path)
        todo |= imports(path) - found
    return found


def digest(kind: str) -> str:
    """Return what identifies them."""
    mark = hashlib.sha256()
    for path in sorted(sources(kind)):
        mark.update(path.as_posix().encode() + (ROOT / path).read_bytes())
    return mark.hexdigest()[:16]


def kind_of(world: str) -> str:
    """Return which explorer a share's world belongs to."""
    return "update" if world in _UPDATES else "change" if "/" in world else "journal"


def shares() -> Iterator[Share]:
    """Give the shares in the order in which they are done, without end: whole days."""
    from tests.system.change_worlds import STORIES
    from tests.system.journal_worlds import WORLDS

    seed = 0
    while True:
        seed += 1
        for world in WORLDS:
            yield "micropython", world, seed, _SAMPLE, seed % _SAMPLE
        for story in STORIES:
            for program_size in (32, 256):
                yield "micropython", f"{story}/{program_size}", seed, 1, 0
        for kind in _UPDATES:
            yield "cpython", kind, seed, 1, 0
        for world in WORLDS:
            for phase in range(_SHARES):
                yield "cpython", world, seed, _SHARES, phase


def explore_share(share: Share) -> Counts:
    """Explore one share in this process, or in a MicroPython of its own."""
    runtime, world, seed, every, phase = share
    sort = kind_of(world)
    if runtime == "micropython":
        done = subprocess.run(
            [interpreter(), "-X", "heapsize=8m", "-c", _CALL % (sort, world, seed, every, phase)],
            cwd=ROOT,
            env={**os.environ, "MICROPYPATH": ".:.frozen"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not done.stdout.startswith("[") or done.stdout.count("\n") > 1:
            return 0, 0, 0, 0, {"unmountable": 1}, f"micropython: {done.stdout}{done.stderr}"
        operations, cuts, deep, troubles, broken, first = json.loads(done.stdout)
        return operations, cuts, deep, troubles, broken, first
    if world in _UPDATES:
        from tests.host.test_update_cuts import explore as explore_update

        tally = explore_update(_UPDATES[world], every, phase)
    else:
        from tests.system.journal_worlds import explore

        tally = explore(world, seed, every, phase)
    return (
        *(tally.operations, tally.cuts, tally.deep),
        *(tally.troubles, tally.broken, tally.first),
    )


class Total:
    """Counts of all shares, those of an earlier run with the same sources included."""

    def __init__(self, again: bool) -> None:
        self.digests = {kind: digest(kind) for kind in _EXPLORERS}
        self.done: dict[str, Counts] = {}
        if STATE.exists() and not again:
            kept = json.loads(STATE.read_text())
            same = {k for k, mark in kept.get("digests", {}).items() if mark == self.digests[k]}
            for name, counts in kept["shares"].items():
                if kind_of(name.split("/", 1)[1].rsplit("/", 3)[0]) in same:
                    self.done[name] = tuple(counts)

    def add(self, share: Share, counts: Counts) -> None:
        """Count a share and keep it."""
        self.done["/".join(map(str, share))] = counts
        STATE.parent.mkdir(exist_ok=True)
        beside = STATE.with_suffix(".new")
        beside.write_text(json.dumps({"digests": self.digests, "shares": self.done}))
        beside.replace(STATE)

    @property
    def cuts(self) -> int:
        """All cuts, both depths."""
        return sum(counts[1] + counts[2] for counts in self.done.values())

    @property
    def broken(self) -> dict[str, int]:
        """Broken promises by kind, 0 included."""
        return {k: sum(c[4].get(k, 0) for c in self.done.values()) for k in _KINDS}

    def line(self, seconds: float) -> str:
        """Return the closing line."""
        deep = sum(counts[2] for counts in self.done.values())
        device = sum(c[1] + c[2] for name, c in self.done.items() if name[0] == "m")
        troubles = sum(counts[3] for counts in self.done.values())
        b = self.broken
        return (
            f"powercut: {self.cuts:,} cuts ({deep:,} at depth 2, {device:,} on MicroPython), "
            f"{troubles:,} flipped bits and errors, in "
            f"{seconds:.0f} s; acknowledged lost {b['lost']}, ghosts {b['ghost']}, "
            f"unmountable {b['unmountable']}, undeclared gaps {b['undeclared']}, "
            f"open blocks wrong {b['open']}, unbootable {b['unbootable']}, "
            f"mixed configurations {b['mixed']}"
        )


def main() -> int:
    """Explore until there are so many cuts; 0 when every promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cuts", nargs="?", type=int, default=CUTS)
    parser.add_argument("--again", action="store_true", help="forget what an earlier run has done")
    options = parser.parse_args()
    total = Total(options.again)
    begun = time.monotonic()
    before = total.cuts
    if before:
        print(f"powercut: {before:,} cuts are done already with these sources ({STATE.name})")
    todo = (share for share in shares() if "/".join(map(str, share)) not in total.done)
    workers = os.cpu_count() or 2
    running: dict[Future[Counts], Share] = {}
    with ProcessPoolExecutor(workers) as pool:
        while running or (total.cuts < options.cuts):
            while len(running) < workers and total.cuts < options.cuts:
                share = next(todo)
                running[pool.submit(explore_share, share)] = share
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                share = running.pop(future)
                total.add(share, future.result())
                if future.result()[4]:
                    print(f"powercut: {'/'.join(map(str, share))}: {future.result()[5]}")
    held = not any(total.broken.values())
    close("powercut", total.line(time.monotonic() - begun), held=held)
    return 0 if held else 1


if __name__ == "__main__":
    raise SystemExit(main())
