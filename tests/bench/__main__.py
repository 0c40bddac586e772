"""`make bench`: print every figure the project claims. One file bench_<room>.py per room.

    python -m tests.bench [ROOM ...]

Each file has `run() -> list[Figure]`. Ratios are measured side by side in the same run; the
results are also written to build/bench.json, from which the README's table is made.
"""

import importlib
import json
import pkgutil
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests import bench
from tests.bench.figure import Figure

ROOT = Path(__file__).resolve().parent.parent.parent


def main(rooms: list[str]) -> int:
    """Run the named rooms' benchmarks, or all; merge the results into build/bench.json."""
    console = Console()
    found = sorted(
        m.name for m in pkgutil.iter_modules(bench.__path__) if m.name.startswith("bench_")
    )
    wanted = [f"bench_{room}" for room in rooms] or found
    unknown = sorted(set(wanted) - set(found))
    if unknown:
        print(
            f"no such bench: {', '.join(unknown)}; there are {', '.join(found)}", file=sys.stderr
        )
        return 2
    written = ROOT / "build" / "bench.json"
    results = json.loads(written.read_text()) if written.exists() else {}
    for name in wanted:
        figures: list[Figure] = importlib.import_module(f"tests.bench.{name}").run()
        table = Table("figure", "value", "unit", "how measured", title=name.removeprefix("bench_"))
        for figure in figures:
            table.add_row(figure.name, figure.text(), figure.unit, figure.how)
        console.print(table)
        results[name.removeprefix("bench_")] = [figure.as_dict() for figure in figures]
    written.parent.mkdir(exist_ok=True)
    results["machine"] = {"python": platform.python_version(), "cpu": platform.machine()}
    written.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
