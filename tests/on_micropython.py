"""Run tests/unit and tests/system on the real MicroPython, each file in a process of its own.

    python -m tests.on_micropython [--heap 384k] [FILE ...]

A file that ran nothing, printed no closing line or was killed counts as failed. The heap is
bounded: 384 KB of 64-bit objects is some 270 KB on a board of 32 bits. A file that simulates
more than a board holds (copies of a flash) says so in a line of its own: `# heap: 4m`.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
_HEAP = re.compile(r"^# heap: (\d+[km])$", re.MULTILINE)
_FILE_SECONDS = 300


def interpreter() -> str:
    """Return the path of the MicroPython that this Python environment carries."""
    beside = Path(sys.executable).with_name("micropython")
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise SystemExit("no micropython beside this Python: run `make setup`")
    return found


def run_file(path: Path, heap: str) -> tuple[Path, int, int, int, str]:
    """Run one file; return (path, passed, failed, skipped, output)."""
    name = path.relative_to(ROOT).as_posix()
    own = _HEAP.search(path.read_text())
    heap = own[1] if own else heap
    command = [interpreter(), "-X", f"heapsize={heap}", "tests/micropython_runner.py", name]
    environment = {**os.environ, "MICROPYPATH": ".:.frozen"}
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_FILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return path, 0, 1, 0, f"{name}: no end within {_FILE_SECONDS} s\n"
    output = done.stdout + done.stderr
    closing = _CLOSING.search(done.stdout)
    if not closing:
        return path, 0, 1, 0, f"{name}: ended with {done.returncode} and no count\n{output}"
    passed, failed, skipped = (int(n) for n in closing.groups())
    if passed + failed + skipped == 0:
        return path, 0, 1, 0, f"{name}: holds no test\n"
    return path, passed, failed, skipped, output


def main() -> int:
    """Run and report; 0 when all passed and something ran."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--heap", default="384k")
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    files = [f.resolve() for f in options.files] or [
        f
        for folder in ("system", "unit")  # the longest first: nothing waits for them in the end
        for f in sorted((ROOT / "tests" / folder).glob("test_*.py"))
    ]
    totals = [0, 0, 0]
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        for _, *counts, output in pool.map(lambda f: run_file(f, options.heap), files):
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            if counts[1] or counts[2]:
                print(output, end="")
    print(f"micropython: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 0 if totals[0] and not totals[1] else 1


if __name__ == "__main__":
    raise SystemExit(main())
