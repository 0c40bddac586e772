"""Seed each fault into a copy of the sources: what watches over them must find it.

    python -m tests.seeded_faults [--sample N] [WORD ...]     (make faults)

Those of tests/journal_faults.py are the power cuts' (tests/powercut.py), those of
tests/field_faults.py the field simulator's (tests/years.py). A fault that some days of that do not
find is a hole in it, and so is a row whose text is no longer in the source. --sample takes N rows
by the sources' digest: others each time the sources change. Exit code 1 when one was not found.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.closing import close
from tests.field_faults import CHANGE_FAULTS
from tests.field_faults import FAULTS as FIELD_FAULTS
from tests.journal_faults import FAULTS as JOURNAL_FAULTS
from tests.powercut import ROOT, digest

FAULTS = JOURNAL_FAULTS + FIELD_FAULTS + CHANGE_FAULTS
_MOST_S = 1800  # of one program, whatever else the computer does; then nothing was found
_MOST_CPU_S = 200  # of one day on flash, or some of the field: eight times what it takes
_COPIED = (
    *("agent", "drivers", "firmware", "host_tools/shim"),
    *("tests/fakes", "tests/system", "tests/vectors"),
)
# Days until the fault is found: world, seed, one operation in so many. Files first, for most.
_BOUND = """
import resource
def bound():
    used = resource.getrusage(resource.RUSAGE_SELF)
    most_s = int(used.ru_utime + used.ru_stime) + {most_s}
    resource.setrlimit(resource.RLIMIT_CPU, (most_s, resource.RLIM_INFINITY))
"""
_EXPLORE = """
import sys
sys.path[:0] = [".", "host_tools/shim"]
from tests.system.journal_day import Day
from tests.system.journal_worlds import WORLDS
from tests.system.tally import Tally
for seed in range(1, {days} + 1):
    for world in {worlds}:
        bound()
        tally = Tally()
        Day(WORLDS[world](), seed, every={every}, phase=seed, deep=31, stop=1).run(tally)
        if tally.broken:
            print(world, tally.first)
            sys.exit(0)
sys.exit(3)
"""
# Days of the field, then hours of it at a reading every ten seconds, in blocks that get full.
_LIVE = """
import sys
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
sys.path[:0] = [".", "host_tools/shim"]
from tests.fakes.virtual_gateway import TREE, Site
from tests.system.years_world import explore
def judged(name, world, verdict):
    for kind, found in zip(("lost", "doubled", "altered"), verdict.wrong):
        if found:
            print(name, kind, found[0])
            sys.exit(0)
    if getattr(world, "broken", None):
        print(name, "broken", world.broken[0])
        sys.exit(0)
    if world.broker.changed:
        print(name, "changed", world.broker.changed[0])
        sys.exit(0)
for seed in range(1, {lives} + 1):
    bound()
    world = explore(seed, {days})
    judged("days", world, world.verdict)
    if {days} > 8:
        continue
    site = Site(seed, dict(TREE, block={{"flush_s": 1800, "size": 128}}))
    site.run(3 * 3600_000, trouble=True)
    site.settle()
    judged("hours", site, site.judge())
sys.exit(3)
"""
_FILES, _RINGS = ("files-esp32", "files-rp2"), ("ring-esp32", "ring-rp2")


def seed(folder: Path, row: tuple[str, ...]) -> None:
    """Change a copy as the row says.

    Raises ValueError when its text is not there exactly once, SyntaxError when that cannot run.
    """
    for file, old, new in zip(row[1::3], row[2::3], row[3::3], strict=True):
        source = (folder / file).read_text()
        if source.count(old) != 1:
            raise ValueError(f"{row[0]}: {source.count(old)} times in {file}: {old!r}")
        changed = source.replace(old, new)
        compile(changed, file, "exec")  # what cannot run at all would be found by anything
        (folder / file).write_text(changed)


def _codes(row: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return what looks for a fault; None: what must find nothing."""
    if row is None:  # tests/powercut.py and tests/years.py do more than this
        return _EXPLORE.format(worlds=_FILES + _RINGS, days=1, every=25), _LIVE.format(
            lives=1, days=8
        )
    if row in FIELD_FAULTS:
        return (_LIVE.format(lives=10, days=8),)
    if row in CHANGE_FAULTS:
        return (_LIVE.format(lives=12, days=40),)
    is_ring = row[1] in {"agent/ring.py", "agent/heads.py", "agent/pages.py"}
    worlds = _RINGS if is_ring else _FILES + _RINGS
    return (_EXPLORE.format(worlds=worlds, days=3, every=5),)


def explore(row: tuple[str, ...] | None) -> str:
    """Return what was found in a copy with that fault, None: without; "" when nothing was."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in _COPIED:
            shutil.copytree(
                ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        if row is not None:
            seed(folder, row)
        return "".join(_look(folder, code) for code in _codes(row))


def _look(folder: Path, code: str) -> str:
    """Run one program in a copy; return what it found, "" for nothing."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _BOUND.format(most_s=_MOST_CPU_S) + code],
            cwd=folder,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=_MOST_S,
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == -signal.SIGXCPU:
        return "no end"
    if done.returncode == 0:
        return done.stdout.strip()
    if done.returncode == 3:
        return ""
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    if said[-1].startswith("NameError"):
        return ""  # a slip of the row, no find
    return f"a crash: {said[-1]}"


def sample(count: int) -> list[tuple[str, ...]]:
    """Return so many rows, others for other sources; none that takes weeks to be found."""
    rows = JOURNAL_FAULTS + FIELD_FAULTS
    step = max(1, len(rows) // count)
    first = int(digest("journal"), 16) % len(rows)
    return [rows[(first + i * step) % len(rows)] for i in range(min(count, len(rows)))]


def main() -> int:
    """Run; 0 when every fault was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, metavar="N")
    parser.add_argument("words", nargs="*", help="only faults whose name holds one of these")
    options = parser.parse_args()
    rows = sample(options.sample) if options.sample else list(FAULTS)
    if options.words:
        rows = [row for row in rows if any(word in row[0] for word in options.words)]
    begun = time.monotonic()
    baseline = explore(None)
    if baseline:
        print(f"without a fault: {baseline}")
        return 1
    missed = 0
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for row, found in zip(rows, pool.map(explore, rows), strict=True):
            missed += not found
            print(f"{'found ' if found else 'MISSED'} {row[0]}: {found}"[:220], flush=True)
    seconds = time.monotonic() - begun
    line = f"seeded faults: {len(rows) - missed} of {len(rows)} found in {seconds:.0f} s"
    if len(rows) == len(FAULTS):
        close("faults", line, held=not missed)
    else:
        print(line)
    return 1 if missed or not rows else 0


if __name__ == "__main__":
    raise SystemExit(main())
