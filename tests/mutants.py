"""Small changes of the sources, one at a time: the tests must see each. `make mutants N=500`.

    python -m tests.mutants [N] [--seed S] [--again] [GROUP ...]

A group is some files and the tests that watch over them. Its tests run once, each line is noted
with those that came by; then each mutant (tests/mutators.py) of a seeded sample of N lives in a
fork of a process that has pytest loaded and nothing of ours, against the tests that came by its
lines, the quickest first, until one fails. A test that does not end, crashes or eats the memory
kills as well. What is known of a mutant is kept in build/mutants/ for as long as its file and its
tests stay as they are, so a run that was broken off goes on where it was.

tests/survivors.txt lists what survives, with the reason. A row whose mutant is no more, or is
killed after all, fails the run, and so does a group of which fewer than nine in ten are killed.
mutmut copies the whole tree for each start, cosmic-ray starts Python for each mutant and neither
leaves statements out: a fork costs a tenth of a second, so this is here.
"""

import argparse
import ast
import contextlib
import functools
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import json
import os
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from tests.closing import close
from tests.mutators import Mutant, compiled, mutants

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "mutants"
SURVIVORS = ROOT / "tests" / "survivors.txt"
WORKERS = 2
SAMPLE = 150
BAR = 0.9
LEAST_S = 1.0  # of CPU for a test, beside three times what it took without a mutant
_WATCHED = ("agent", "drivers", "drivers/maps", "firmware", "tests/fakes", "tests/vectors")
_MOST_S = 40.0  # of tests against one mutant: what is slower than that is left out
_ROOM_BYTES = 4 << 30
_LINKED = ("agent", "boards", "drivers", "firmware", "host_tools", "tests", "pyproject.toml")


class Group(NamedTuple):
    """name; files that are changed; tests that watch over them, the most specific first."""

    name: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    root: Path = ROOT


def _agent(*names: str) -> tuple[str, ...]:
    return tuple(f"agent/{name}.py" for name in names)


def _unit(*names: str) -> tuple[str, ...]:
    return tuple(f"tests/unit/test_{name}.py" for name in names)


# codec_viper is codec_plain for MicroPython: tests/host/test_codec_kernel.py compares the two.
GROUPS = (
    Group(
        "codec",
        (
            *_agent("codec", "codec_write", "codec_rows", "codec_plain", "codec_read"),
            *_agent("codec_two", "codec_habits", "codec_odds", "codec_old"),
            *_agent("codec_packed", "codec_unpack"),
        ),
        (
            *_unit("codec_bytes", "codec", "small_ints"),
            "tests/host/test_codec_storms.py",
            "tests/host/test_codec_naive.py",
            "tests/host/test_codec_bound.py",
        ),
    ),
    Group(
        "journal",
        _agent(
            "journal", "recovery", "tail", "saves", "store", "ring", "heads", "pages", "record"
        ),
        (
            *_unit("journal_bytes", "journal", "recovery", "tail", "ring", "heads"),
            *_unit("record", "store", "forecast"),
            "tests/system/test_backlog.py",
        ),
    ),
    Group(
        "bus",
        _agent("bus", "meter", "rhythm", "outage", "quiet"),
        (
            *_unit("bus", "bus_clock", "outage", "quiet", "modbus_bus"),
            "tests/system/test_inputs.py",
        ),
    ),
    Group(
        "uplink",
        _agent("uplink", "session", "flight", "mqtt", "window", "backoff", "carried"),
        (
            *_unit("uplink", "session", "flight", "window", "mqtt", "carried", "poster", "budget"),
            "tests/system/test_hostile_broker.py",
            "tests/system/test_backlog.py",
        ),
    ),
    Group("boot", ("firmware/boot.py",), _unit("boot")),
    Group(
        "update",
        _agent("update", "trial", "slots", "signature", "fetch", "upgrade"),
        (
            *_unit("update", "trial", "fetch", "upgrade", "settings", "reconfigure"),
            "tests/host/test_update_cuts.py",
            "tests/host/test_key_rotation.py",
        ),
    ),
)


# --- what runs in a fork: pytest, on sources of which one is another


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another code."""

    def __init__(self, name: str, path: Path, code: CodeType) -> None:
        self._name, self._path, self._code = name, path, code

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name != self._name:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        """Let Python make it."""

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)


def _pytest(root: Path, names: Sequence[str], plugin: object, *options: str) -> int:
    import pytest

    fixed = ("-q", "--no-header", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={root}")
    paths = [f"{root}/{name}" for name in names]
    return int(pytest.main([*fixed, *options, *paths], [plugin] if plugin else []))


class _Watcher:
    """A plugin: which tests came by which lines, and how long each took."""

    def __init__(self, measured: Any) -> None:
        self._measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._measured.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] = self.seconds.get(report.nodeid, 0.0) + report.duration
        if report.failed:
            self.failed.append(report.nodeid)
        if report.when == "teardown":
            self._measured.switch_context("")


def _look(group: Group) -> dict[str, Any]:
    """Run the group's tests on the sources as they are; return who came by where."""
    import coverage

    measured = coverage.Coverage(
        data_file=None,
        config_file=False,
        include=[str(group.root / file) for file in group.files],
    )
    watcher = _Watcher(measured)
    measured.start()
    _pytest(group.root, group.tests, watcher)
    measured.stop()
    data = measured.get_data()
    lines = {
        file: {
            str(line): sorted(name for name in names if name)
            for line, names in data.contexts_by_lineno(str(group.root / file)).items()
        }
        for file in group.files
    }
    return {"lines": lines, "seconds": watcher.seconds, "failed": watcher.failed}


class _NoEnd(BaseException):
    """A test has taken too long; nothing that catches Exception catches this."""


def _give_up(*_: object) -> None:
    raise _NoEnd


class _First:
    """A plugin: the first test that fails, or takes far longer than without a mutant."""

    name = ""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds = seconds
        signal.signal(signal.SIGPROF, _give_up)

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        if nodeid in self._seconds:
            seconds = LEAST_S + 3 * self._seconds[nodeid]
            signal.setitimer(signal.ITIMER_PROF, seconds, 1.0)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        signal.setitimer(signal.ITIMER_PROF, 0.0)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed and not self.name:
            self.name = report.nodeid


def _try(
    group: Group, file: str, code: CodeType, tests: Sequence[str], seconds: dict[str, float]
) -> str:
    """Return the test that sees this code of that file, "" when none does.

    seconds: what each test took on the sources as they are; without, it may take any time.
    """
    name = file.removesuffix(".py").replace("/", ".")
    sys.meta_path.insert(0, _Finder(name, group.root / file, code))
    for chunk in _by_file(tests):
        first = _First(seconds)
        ended = _pytest(group.root, chunk, first, "-x")
        if first.name or ended not in {0, 5}:
            return first.name or chunk[0]
    return ""


def _by_file(tests: Sequence[str]) -> list[list[str]]:
    """Return the tests file by file: one that kills early keeps the others from being loaded."""
    files: dict[str, list[str]] = {}
    for test in tests:
        files.setdefault(test.split("::")[0], []).append(test)
    return list(files.values())


# --- forks


def _warm(root: Path) -> None:
    """Load what the tests load of others, and nothing of ours."""
    import coverage  # noqa: F401
    import hypothesis  # noqa: F401

    sys.path[:0] = [str(root), str(root / "host_tools" / "shim")]
    BUILD.mkdir(parents=True, exist_ok=True)
    nothing = BUILD / "test_nothing.py"
    nothing.write_text("def test_nothing():\n    pass\n")
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        _pytest(root, [str(nothing.relative_to(root))], None)
    ours = [name for name in sys.modules if name.split(".")[0] in {"agent", "drivers", "firmware"}]
    if ours:
        raise RuntimeError(f"{ours} are loaded before they could be changed")


class _Fork(NamedTuple):
    pid: int
    said: Path
    ends_at: float
    done: Callable[[str], None]


def _fork(place: Path, work: Callable[[], object], seconds: float, done: Any) -> _Fork:
    """Run work() in a fork, in that folder, for so many seconds of CPU; its result is JSON."""
    said = place / "said.json"
    said.unlink(missing_ok=True)
    shutil.rmtree(place / "build", ignore_errors=True)  # a test that was ended has left its files
    (place / "build").mkdir()
    pid = os.fork()
    if pid:
        return _Fork(pid, said, time.monotonic() + 20 + 10 * seconds, done)
    try:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)
        sys.stdout = sys.stderr = open(os.devnull, "w")
        os.chdir(place)
        limit = int(seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        resource.setrlimit(resource.RLIMIT_AS, (_ROOM_BYTES, _ROOM_BYTES))
        result = json.dumps(work())
        said.write_text(result)
    finally:
        os._exit(0)


def _reap(running: dict[int, _Fork]) -> int:
    """Wait for one fork; return the worker that is free again."""
    while True:
        for worker, fork in running.items():
            pid, _ = os.waitpid(fork.pid, os.WNOHANG)
            late = not pid and time.monotonic() > fork.ends_at
            if late:
                os.kill(fork.pid, signal.SIGKILL)
                os.waitpid(fork.pid, 0)
            if pid or late:
                del running[worker]
                fork.done(fork.said.read_text() if fork.said.exists() and not late else "")
                return worker
        time.sleep(0.01)


def _places(root: Path, count: int) -> list[Path]:
    """Return a working folder for each worker: what one test leaves is not another's."""
    places = []
    for number in range(count):
        place = BUILD / f"worker-{os.getpid()}-{number}"
        place.mkdir(parents=True, exist_ok=True)
        for name in _LINKED:
            if (root / name).exists() and not (place / name).is_symlink():
                (place / name).symlink_to(root / name)
        places.append(place)
    return places


# --- what is known


def _digest(root: Path, names: Sequence[str]) -> str:
    mark = hashlib.sha256()
    for name in names:
        path = root / name
        for file in [path] if path.is_file() else sorted(path.glob("*.py")):
            mark.update(file.read_bytes())
    return mark.hexdigest()[:16]


class Known:
    """What earlier runs have found for a group: a file of JSON in build/mutants/."""

    def __init__(self, group: Group, again: bool = False) -> None:
        self._path = BUILD / f"{group.name}.json"
        self._group = group
        self._tests = _digest(group.root, (*group.tests, *_WATCHED[-2:]))
        self._marks = {file: _digest(group.root, [file]) for file in group.files}
        self._files: dict[str, str] = {}
        self._look = self._path.with_suffix(".look.json")
        self.kept: dict[str, Any] = {}
        if self._path.exists() and not again:
            self.kept = json.loads(self._path.read_text())

    def look(self) -> dict[str, Any] | None:
        """Return who came by where, None when sources or tests have changed since."""
        mark = _digest(self._group.root, (*self._group.tests, *_WATCHED))
        look = json.loads(self._look.read_text()) if self._look.exists() else {"mark": ""}
        return look if look["mark"] == mark else None

    def keep_look(self, look: dict[str, Any]) -> None:
        """Keep who came by where."""
        mark = _digest(self._group.root, (*self._group.tests, *_WATCHED))
        BUILD.mkdir(parents=True, exist_ok=True)
        self._look.write_text(json.dumps(look | {"mark": mark}))

    def killer(self, mutant: Mutant) -> str | None:
        """Return what killed it, "" for nothing, None when that is not known any more.

        A kill holds while the test that did it stays as it is, a survival while all do.
        """
        row = self.kept.get(mutant.name)
        if row is None or row["source"] != self._marks[mutant.file]:
            return None
        mark = self._test_mark(row["killer"]) if row["killer"] else self._tests
        return row["killer"] if row["tests"] == mark else None

    def keep(self, mutant: Mutant, killer: str) -> None:
        """Keep what became of it."""
        mark = self._test_mark(killer) if killer else self._tests
        row = {"source": self._marks[mutant.file], "tests": mark, "killer": killer}
        self.kept[mutant.name] = row
        self.save()

    def _test_mark(self, killer: str) -> str:
        file = killer.partition("::")[0]
        if not file.endswith(".py"):
            return self._tests  # no one test: it did not end
        if file not in self._files:
            self._files[file] = _digest(self._group.root, [file])
        return self._files[file]

    def save(self) -> None:
        """Write it."""
        BUILD.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_text(json.dumps(self.kept))
        beside.replace(self._path)


def survivors(text: str) -> dict[str, str]:
    """Return {mutant: reason} of a list: mutants one a line, below some of them, indented, why."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line[0] != " ":
            if waiting and found.get(waiting[-1]):
                waiting = []
            waiting.append(line)
            if line in found:
                raise ValueError(f"twice: {line}")
            found[line] = ""
            continue
        for name in waiting:
            found[name] = f"{found[name]} {line.strip()}".strip()
    without = [name for name, why in found.items() if not why]
    if without:
        raise ValueError(f"no reason for: {without[0]}")
    return found


# --- a group


class Result(NamedTuple):
    """name; how many killed, tried, and there are; what survived; what is wrong with the list."""

    name: str
    killed: int
    tried: int
    all: int
    alive: list[Mutant]
    stale: list[str]


def chosen(group: Group, count: int, seed: int) -> tuple[list[Mutant], list[Mutant]]:
    """Return (a sample of its mutants, all of them)."""
    every = [
        mutant for file in group.files for mutant in mutants(file, (group.root / file).read_text())
    ]
    # By a digest of its name: a changed line changes the sample by its own mutants alone.
    drawn = sorted(every, key=lambda m: hashlib.sha256(f"{seed} {m.name}".encode()).digest())
    return sorted(drawn[:count], key=lambda m: (m.file, m.number)), every


@functools.cache
def _in_functions(source: str) -> frozenset[int]:
    """Return the lines of this source that run when a function does."""
    return frozenset(
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for line in range(node.body[0].lineno, (node.end_lineno or 0) + 1)
    )


def _against(look: dict[str, Any], group: Group, mutant: Mutant) -> list[str]:
    """Return the tests that came by the mutant's lines, the quickest first, file by file."""
    lines = look["lines"][mutant.file]
    found = {
        test for line in range(mutant.line, mutant.end + 1) for test in lines.get(str(line), ())
    }
    if mutant.line not in _in_functions((group.root / mutant.file).read_text()):
        # It runs once, at import, in whatever test is the first; it matters to all of them, and
        # to those beside them that only look at what was made then.
        files = {test.split("::")[0] for names in lines.values() for test in names}
        found = {test for test in look["seconds"] if test.split("::")[0] in files}
    seconds = look["seconds"]
    order = {name: place for place, name in enumerate(group.tests)}
    sound = found - set(look["failed"])
    ordered = sorted(sound, key=lambda test: (order[test.split("::")[0]], seconds[test], test))
    left, taken = _MOST_S, []
    for test in ordered:
        if seconds[test] <= left:
            left -= seconds[test]
            taken.append(test)
    return taken


def run(group: Group, count: int, seed: int, known: Known, listed: dict[str, str]) -> Result:
    """Try a sample of the group's mutants."""
    sample, every = chosen(group, count, seed)
    places = _places(group.root, WORKERS)
    look = known.look()
    if look is None:
        found: list[str] = []
        fork = _fork(places[0], lambda: _look(group), 1200, found.append)
        _reap({0: fork})
        if not found[0]:
            raise RuntimeError(f"{group.name}: the tests themselves did not end")
        look = json.loads(found[0])
        known.keep_look(look)
    for test in look["failed"]:
        print(f"{group.name}: left out, as it fails without a mutant: {test}", flush=True)
    running: dict[int, _Fork] = {}
    free = list(range(WORKERS))
    for mutant in sample:
        if known.killer(mutant) is not None:
            continue
        tests = _against(look, group, mutant)
        if not tests:
            known.keep(mutant, "")
            continue
        worker = free.pop() if free else _reap(running)
        running[worker] = _start(group, mutant, tests, look, places[worker], known)
    while running:
        _reap(running)
    _leave(places)
    alive = [mutant for mutant in sample if not known.killer(mutant)]
    names = {mutant.name for mutant in every}
    ours = [name for name in listed if name.split(" | ")[0] in group.files]
    stale = [f"is no more: {name}" for name in ours if name not in names]
    dead = {mutant.name for mutant in sample} - {mutant.name for mutant in alive}
    stale += [f"is killed: {name}" for name in ours if name in dead]
    return Result(group.name, len(sample) - len(alive), len(sample), len(every), alive, stale)


def _start(
    group: Group,
    mutant: Mutant,
    tests: list[str],
    look: dict[str, Any],
    place: Path,
    known: Known,
) -> _Fork:
    path = group.root / mutant.file
    code = compiled(path.read_text(), mutant.number, str(path))

    def done(said: str) -> None:
        killer = json.loads(said) if said else "no end, or a crash"
        known.keep(mutant, killer)

    took = {test: look["seconds"][test] for test in tests}
    # Beside the limit of each test: what loads them may not end either.
    seconds = 3 + LEAST_S * len(tests) + 3 * sum(took.values())
    return _fork(place, lambda: _try(group, mutant.file, code, tests, took), seconds, done)


def _leave(places: list[Path]) -> None:
    for place in places:
        for name in _LINKED:
            (place / name).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)


def sound(group: Group) -> str:
    """Return the test that fails on unchanged sources that came this way, "" when none does."""
    found: list[str] = []
    places = _places(group.root, 1)
    path = group.root / group.files[0]
    code = compiled(path.read_text(), None, str(path))
    fork = _fork(
        places[0], lambda: _try(group, group.files[0], code, group.tests, {}), 600, found.append
    )
    _reap({0: fork})
    _leave(places)
    return str(json.loads(found[0])) if found[0] else "no end, or a crash"


def show(result: Result, listed: dict[str, str]) -> None:
    """Print a group's line and what survived without being listed."""
    unlisted = [mutant for mutant in result.alive if mutant.name not in listed]
    for mutant in unlisted:
        print(f"  survives: {mutant.file}:{mutant.line}: {mutant.name}")
    for words in result.stale:
        print(f"  tests/survivors.txt: {words}")
    print(
        f"{result.name}: {result.killed}/{result.tried} killed"
        f" ({result.killed / max(1, result.tried):.1%}) of {result.all} mutants,"
        f" {len(result.alive) - len(unlisted)} survivors listed, {len(unlisted)} not",
        flush=True,
    )


def main() -> int:
    """Run; 0 when nine in ten are killed in each group and the list is right."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=SAMPLE, metavar="N")
    parser.add_argument("groups", nargs="*", help="names of groups, all without")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="forget what earlier runs have found")
    options = parser.parse_args()
    os.nice(10)
    _warm(ROOT)
    listed = survivors(SURVIVORS.read_text())
    begun = time.monotonic()
    results = []
    for group in GROUPS:
        if options.groups and group.name not in options.groups:
            continue
        known = Known(group, options.again)
        results.append(run(group, options.count, options.seed, known, listed))
        show(results[-1], listed)
    killed, tried = sum(r.killed for r in results), sum(r.tried for r in results)
    short = [r.name for r in results if r.killed < BAR * r.tried]
    stale = [words for r in results for words in r.stale]
    is_good = bool(tried and not short and not stale)
    each = ", ".join(f"{r.name} {r.killed}/{r.tried}" for r in results)
    line = (
        f"mutants: {killed} of {tried} killed ({killed / max(1, tried):.1%}): {each};"
        f" {'all bars reached' if is_good else 'bars missed'} in {time.monotonic() - begun:.0f} s"
    )
    if len(results) == len(GROUPS):
        close("mutants", line, held=is_good)
    else:
        print(line)
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
