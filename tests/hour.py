"""An hour of the demonstration under chaos: nothing lost, and nothing grows.

    python -m tests.hour [SECONDS] [--seed N] [--picture FILE.svg]      (make hour SECONDS=3600)

Power, network and lines are cut by the seed (host_tools/demo/). Every five seconds: the live heap
of the gateway, the open descriptors of its process and of this one, how old the newest stored
reading is. At the end the medians of the last third are set beside those of the first; the exit
code is 1 when one of them grew, or a reading was lost, doubled or altered.
"""

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from host_tools.demo.demonstration import Demo
from host_tools.sim.plan import load_site
from tests.closing import close

ROOT = Path(__file__).resolve().parent.parent
_SITE = ROOT / "host_tools" / "sim" / "sites" / "household.yaml"
_PICTURE = ROOT / "build" / "hour.svg"
_EVERY_S = 5.0
_SETTLE_S = 120.0
_WARM_S = 60.0  # until the caches of everything are filled


@dataclass(frozen=True)
class Sample:
    """One moment; None where the gateway had no power."""

    at_s: float
    heap: int | None  # bytes
    gateway: int | None  # open descriptors of its process
    ours: int  # open descriptors of simulator, broker's client and collector
    age_s: float | None  # of the newest stored reading


# name of the field, words, unit, by which factor and how much more it may have grown
_KINDS = (
    ("heap", "live heap of the gateway", "bytes", 1.03, 0),
    ("gateway", "descriptors of the gateway", "", 1.0, 1),
    ("ours", "descriptors of simulator and collector", "", 1.0, 4),
    ("age_s", "age of the newest stored reading", "s", 1.2, 2.0),
)


def _descriptors(process: object) -> int | None:
    try:
        return len(os.listdir(f"/proc/{process}/fd"))
    except OSError:
        return None


def _age_s(database: Path) -> float | None:
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        newest = connection.execute("SELECT MAX(at_ms) FROM reading").fetchone()[0]
    except sqlite3.OperationalError:
        return None
    finally:
        connection.close()
    return time.time() - newest / 1000 if newest else None


def look(demo: Demo, begun_s: float) -> Sample:
    """Look once."""
    figures = demo.figures()
    return Sample(
        time.monotonic() - begun_s,
        figures.heap_bytes if figures.power == "on" else None,
        _descriptors(demo.gateway_process) if figures.power == "on" else None,
        _descriptors("self") or 0,
        _age_s(demo.database),
    )


def thirds(samples: list[Sample], name: str) -> tuple[float, float]:
    """Return the median of a field in the first third and in the last, warming up left out."""
    warm = [row for row in samples if row.at_s >= _WARM_S] or samples
    values = [getattr(row, name) for row in warm]
    part = max(1, len(values) // 3)
    first, last = (
        [value for value in third if value is not None]
        for third in (values[:part], values[-part:])
    )
    return statistics.median(first or [0]), statistics.median(last or [0])


def grown(samples: list[Sample]) -> list[str]:
    """Return what grew, in words."""
    found = []
    for name, words, unit, factor, more in _KINDS:
        first, last = thirds(samples, name)
        if last > first * factor + more:
            found.append(f"{words} {first:,.0f} -> {last:,.0f} {unit}".rstrip())
    return found


def picture(samples: list[Sample], path: Path, title: str) -> None:
    """Draw every kind over time, one strip each; title: what was done to it."""
    width, height, left, gap = 640, 90, 20, 34
    end_s = samples[-1].at_s or 1.0
    parts = [
        f'<text x="{left}" y="20" font-weight="bold">The demonstration under chaos</text>'
        f'<text x="{left}" y="36">{title}</text>'
    ]
    top = 50
    for name, words, unit, _, _ in _KINDS:
        values = [getattr(row, name) for row in samples]
        most = max((value for value in values if value is not None), default=0) * 1.15 or 1
        first, last = thirds(samples, name)
        of = f"{words}, {unit}" if unit else words
        said = f"{of}: median {first:,.0f} in the first third, {last:,.0f} in the last"
        parts.append(f'<text x="{left}" y="{top + 12}">{said}</text>')
        base = top + 18 + height
        line = ""
        pen = "M"
        for row, value in zip(samples, values, strict=True):
            if value is None:
                pen = "M"
                continue
            x, y = left + row.at_s / end_s * width, base - value / most * height
            line += f"{pen}{x:.1f} {y:.1f}"
            pen = "L"
        parts.append(
            f'<path d="M{left} {base}h{width}" stroke="#999" fill="none"/>'
            f'<path d="{line}" stroke="#1565c0" stroke-width="1.5" fill="none"/>'
        )
        top = base + gap - 18
    parts.append(
        f'<text x="{left}" y="{top + 8}">0</text>'
        f'<text x="{left + width}" y="{top + 8}" text-anchor="end">{end_s / 60:.0f} min</text>'
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + 2 * left} {top + 20}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(parts)}</svg>\n"
    )


def main() -> int:
    """Run; 0 when nothing was lost and nothing grew."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seconds", nargs="?", type=float, default=3600)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--picture", type=Path, default=_PICTURE)
    options = parser.parse_args()
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory() as name:
        demo = Demo(load_site(_SITE), Path(name) / "demo", chaos=options.seed)
        with demo:
            begun_s = time.monotonic()
            while time.monotonic() - begun_s < options.seconds:
                time.sleep(_EVERY_S)
                samples.append(look(demo, begun_s))
            settled = demo.settle(_SETTLE_S)
            result = demo.result()
    wrong = [result[count] for count in ("lost", "duplicated", "altered")]
    cuts = result["chaos"]
    words = (
        f"{options.seconds / 60:.0f} min, cuts of power {cuts.get('power', 0)}, of the network "
        f"{cuts.get('network', 0)}, garbled lines {cuts.get('line', 0)}"
    )
    picture(samples, options.picture, words)
    growth = grown(samples)
    for row in growth + list(result["examples"]):
        print(row)
    heap, age = thirds(samples, "heap"), thirds(samples, "age_s")
    held = not any(wrong) and not growth and settled
    close(
        "hour",
        f"hour: {words}; {result['answered']:,} answered, lost {wrong[0]}, duplicated {wrong[1]}, "
        f"altered {wrong[2]}; live heap {heap[0]:,.0f} -> {heap[1]:,.0f} bytes, newest reading "
        f"{age[0]:.1f} -> {age[1]:.1f} s old, {len(growth)} grew",
        held=held,
    )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
