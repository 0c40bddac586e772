"""The firmware frozen into a MicroPython of 32 bits, and its heap of 192 KB.

    make frozen TREE=/path/to/micropython [N=10000]

What an image of one's own gives a board (firmware/README.md), on this computer: upstream's unix
port in words of 32 bits (firmware/images/ECLOR_UNIX_32), the gateway frozen in, the buffers of
mbedTLS in the collector's heap as on RP2. On it lives the gateway of tests/heap_world.py, with
Modbus, TIC and TLS. Exit code 1: the heap did not stay whole.

Wanted: upstream's sources, 1.28 or newer, with lib/mbedtls and lib/micropython-lib, and a compiler
for 32 bits (Debian: gcc-multilib). Not part of CI, which has no such sources.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.closing import close
from tests.heap_world import CYCLES, ROOT, Life, Runtime, World

VARIANT = ROOT / "firmware" / "images" / "ECLOR_UNIX_32"
FOLDER = ROOT / "build" / "frozen"
PROGRAM = FOLDER / "micropython"
_NEEDED = ("ports/unix/Makefile", "lib/mbedtls/library/aes.c", "lib/micropython-lib/micropython")
_WORDS = 4000  # of a build that failed: what is told

RUNTIME = Runtime(str(PROGRAM), 192 * 1024, 16, 40 * 1024, frozen=True)


def lacks(tree: Path) -> list[str]:
    """Return what a build needs and the tree has not."""
    return [name for name in _NEEDED if not (tree / name).exists()]


def build(tree: Path) -> None:
    """Build PROGRAM of this checkout in upstream's tree. A SystemExit says what is missing."""
    if missing := lacks(tree):
        raise SystemExit(
            f"frozen: {tree} has no {missing[0]}: give upstream's sources with their submodules"
        )
    FOLDER.mkdir(parents=True, exist_ok=True)
    # The frozen content is made anew: upstream's rules do not see that a package has lost a file.
    (FOLDER / "frozen_content.c").unlink(missing_ok=True)
    jobs = f"-j{os.cpu_count() or 2}"
    for folder, more in (
        ("mpy-cross", ()),
        ("ports/unix", (f"VARIANT_DIR={VARIANT}", f"BUILD={FOLDER}")),
    ):
        done = subprocess.run(
            ["make", "-C", str(tree / folder), jobs, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"frozen: {folder} does not build:\n{done.stdout[-_WORDS:]}")


def line(life: Life, faults: list[str], cycles: int, seconds: float) -> str:
    """Return the closing line."""
    return (
        f"frozen: {cycles:,} readings of Modbus and TIC under TLS on 32 bits, the firmware frozen"
        f" in, mbedTLS in the heap: of {RUNTIME.heap:,} bytes {life.cycles[-1].live:,} live, the"
        f" longest free stretch is {life.longest:,}, {RUNTIME.least:,} are wanted;"
        f" {len(faults)} faults, {seconds:.0f} s"
    )


def main() -> int:
    """Build, live, report; 0 when the heap stayed whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tree", type=Path, help="upstream's sources of MicroPython")
    parser.add_argument("cycles", nargs="?", type=int, default=CYCLES)
    options = parser.parse_args()
    build(options.tree.resolve())
    begun = time.monotonic()
    with World(RUNTIME) as world:
        life = world.live(options.cycles, extra=world.harness())
    faults = life.faults(options.cycles)
    for fault in faults:
        print(f"frozen: {fault}")
    if not life.cycles:
        return 1
    close("frozen", line(life, faults, options.cycles, time.monotonic() - begun), held=not faults)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
