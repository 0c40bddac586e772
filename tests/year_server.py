"""Lives the years that it is asked for, one after the other: a process of tests/years.py.

A line `seed days` on standard input is answered by one line of JSON (`summary` of
tests/system/years_world.py). Runs on PyPy 3.9 too, which needs nothing installed: once it has
seen a few years it is more than twice as fast.
"""

import gc
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def serve() -> None:
    """Answer until standard input ends."""
    sys.path[:0] = [str(ROOT), str(ROOT / "host_tools" / "shim")]  # `micropython` for agent/
    if sys.implementation.name == "cpython":
        from tests.fakes.compiled_codec import compile_codec

        compile_codec()
    from tests.system.years_world import explore, summary

    # A gateway collects at every start: here that would look at everything, for nothing.
    collect = gc.collect
    gc.collect = lambda generation=2: 0
    for line in sys.stdin:
        seed, days = line.split()
        print(json.dumps(summary(explore(int(seed), int(days)))), flush=True)
        collect()


if __name__ == "__main__":
    serve()
