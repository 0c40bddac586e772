"""What a byte costs each parser, on MicroPython (unix, bytecode), beside its time on the line.

The unix port runs on this computer and a board is slower: the line's time stands beside it for
comparison and is no proof.
"""

import os
import subprocess
import sys
from pathlib import Path

from tests.bench import reference_decoders
from tests.bench.figure import Figure
from tests.on_micropython import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
_BITS = 10  # of a byte on the wire, with start and stop


def _costs(command: list[str], environment: dict[str, str]) -> dict[str, float]:
    """Return microseconds per byte by protocol."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    return {row[0]: int(row[3]) / int(row[2]) for row in rows}


def run() -> list[Figure]:
    """Measure each parser on MicroPython, and on CPython by the same loop for the ratio."""
    small = _costs(
        [interpreter(), "-X", "heapsize=1m", "tests/bench/driver_costs.py"],
        {"MICROPYPATH": ".:.frozen"},
    )
    large = _costs(
        [sys.executable, "tests/bench/driver_costs.py"],
        {"PYTHONPATH": f"{ROOT}:{ROOT / 'host_tools/shim'}"},
    )
    figures = [
        Figure(
            f"byte on the line at {baud:,} baud", _BITS * 1e6 / baud, "us", "8N1, by arithmetic"
        )
        for baud in (2400, 9600, 115200)
    ]
    for protocol, cost in small.items():
        figures.append(
            Figure(
                f"{protocol}: a byte",
                round(cost, 3),
                "us",
                f"good frames in pieces of 64 bytes, MicroPython unix; "
                f"{cost / large[protocol]:.2f} times CPython's",
            )
        )
    for protocol, name, theirs in reference_decoders.costs():
        if theirs is not None:
            figures.append(
                Figure(
                    f"{protocol}: {name} on CPython, a byte",
                    round(theirs, 3),
                    "us",
                    f"one good frame; our driver on CPython {large[protocol]:.3f} us",
                )
            )
    return figures
