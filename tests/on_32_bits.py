"""Run tests/unit on a MicroPython with words of 32 bits and small integers of 30, as boards have.

    python -m tests.on_32_bits [FILE ...]

That is MicroPython's WebAssembly port under node; `npm ci --prefix tests/wasm` fetches it. Where
one of them is absent, all of it is skipped, and that is said. The emitters are not there, so the
block codec runs its plain kernel and must give the same bytes. Neither is a bound on the heap:
this port collects only between two runs, which is on_micropython.py's matter.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_WASM = ROOT / "tests" / "wasm"
_PACKAGE = _WASM / "node_modules" / "@micropython" / "micropython-webassembly-pyscript"
_CLOSING = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
_WORDS = "words of 32 bits"
_SECONDS = 300
_PROCESSES = 2
_SLOW = "16 s here, and its arithmetic is that of the others"
_FILES = "the files of this port answer with numbers of errors of their own"
LEFT_OUT = {
    "test_boot.py": {
        "test_a_board_with_the_firmware_frozen_in_has_nothing_to_tell_of_slots": _FILES,
        "test_an_active_slot_that_is_gone_or_damaged_gives_way_to_the_other": _FILES,
        "test_safe_mode_says_what_is_wrong_and_tries_again_after_an_hour": _FILES,
        "test_what_is_frozen_in_fails_nine_times_before_it_waits_in_safe_mode": _FILES,
        "test_what_is_frozen_runs_when_no_slot_can": _FILES,
        "test_what_is_not_whole_counts_for_less_than_any_firmware": _FILES,
        "test_without_any_firmware_it_waits_in_safe_mode_at_once": _FILES,
    },
    "test_composition.py": {
        "test_a_clock_that_is_set_anew_says_by_how_much": _FILES,
        "test_a_clock_that_went_on_is_believed_unless_it_was_only_assumed": _FILES,
        "test_brownouts_are_counted_over_starts": _FILES,
        "test_keys_and_certificates_that_were_replaced_are_looked_up": _FILES,
    },
    "test_forecast.py": {
        "test_the_estimate_for_files_is_near_what_littlefs_erases": "no littlefs on this port"
    },
    "test_modbus_street.py": {
        "test_247_meters_of_twenty_points_fit_a_gateway": "this port collects between runs only"
    },
    "test_provision.py": {
        "test_forgetting_leaves_a_bare_board_and_overwrites_what_was_freed": _FILES
    },
    "test_store.py": {
        "test_a_segment_wears_its_block_and_two_entries": _FILES,
        "test_a_file_has_no_names_and_what_is_absent_is_an_error": _FILES,
        "test_a_slot_is_replaced_as_a_whole": _FILES,
        "test_segments_are_listed_by_number_and_foreign_files_left_alone": _FILES,
        "test_segments_of_an_older_firmware_are_found": _FILES,
    },
    "test_tic.py": {
        "test_a_damaged_group_costs_its_own_value_only": _SLOW,
        "test_any_cut_of_the_stream_gives_the_same": _SLOW,
    },
}


def absent() -> str:
    """Return what is not here to run this; "" when all is."""
    if not shutil.which("node"):
        return "no node on this computer"
    if not _PACKAGE.is_dir():
        return "no tests/wasm/node_modules: npm ci --prefix tests/wasm"
    return ""


def _portions(files: list[Path]) -> list[list[Path]]:
    """Share files out by their length."""
    portions: list[list[Path]] = [[] for _ in range(_PROCESSES)]
    sizes = [0] * _PROCESSES
    for file in sorted(files, key=lambda f: -f.stat().st_size):
        least = sizes.index(min(sizes))
        sizes[least] += file.stat().st_size
        portions[least].append(file)
    return portions


def run_files(files: list[Path], root: Path = ROOT) -> tuple[list[int], str]:
    """Run files in one process; return [passed, failed, skipped] and what must be seen."""
    names = {f.relative_to(root).as_posix(): LEFT_OUT.get(f.name, {}) for f in files}
    command = ["node", str(_WASM / "run.mjs"), str(root), json.dumps(names)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
        lines, errors = done.stdout.splitlines(), done.stderr
    except subprocess.TimeoutExpired:
        lines, errors = [], f"no end within {_SECONDS} s\n"
    found: dict[str, str] = dict(json.loads(line) for line in lines if line.startswith("["))
    totals, told = [0, 0, 0], ""
    for name in names:
        output = found.get(name, errors[-2000:])
        closing = _CLOSING.search(output)
        counts = [int(n) for n in closing.groups()] if closing else [0, 1, 0]
        if not sum(counts) or _WORDS not in output:
            counts = [0, 1, 0]
        totals = [total + count for total, count in zip(totals, counts, strict=True)]
        if counts[1] or counts[2]:
            told += f"{name}:\n{output}" if counts[1] else output.partition("\n")[2]
    return totals, told


def main() -> int:
    """Run and report; 0 when all passed, or nothing could run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path)
    options = parser.parse_args()
    files = [f.resolve() for f in options.files] or sorted((ROOT / "tests/unit").glob("test_*.py"))
    why = absent()
    if why:
        print(f"micropython, 32 bits: {len(files)} files skipped: {why}")
        return 0
    totals = [0, 0, 0]
    with ThreadPoolExecutor(_PROCESSES) as pool:
        for counts, told in pool.map(run_files, filter(None, _portions(files))):
            totals = [total + count for total, count in zip(totals, counts, strict=True)]
            print(told, end="")
    print(f"micropython, 32 bits: {totals[0]} passed, {totals[1]} failed, {totals[2]} skipped")
    return 0 if totals[0] and not totals[1] else 1


if __name__ == "__main__":
    sys.exit(main())
