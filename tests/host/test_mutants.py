"""Mutants: what must be killed is, what changes nothing survives, the list is true."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.mutators import compiled, mutants

tool: Any = importlib.import_module("tests.mutants")

SOURCE = '''"""A module."""

LIMIT = 3
_SPARE = 7  # nobody looks at it


def grown(value: int = 1) -> int:
    """Double it, up to the limit."""
    if not value:
        log.info("nothing")
        return 0
    while value < LIMIT and value:
        value += value
    return value
'''


def _texts(source: str) -> list[str]:
    return [f"{mutant.old} -> {mutant.new}" for mutant in mutants("a.py", source)]


def test_every_small_change_is_there_once_and_only_people_read_the_rest():
    texts = _texts(SOURCE)
    assert (
        "value < LIMIT -> value <= LIMIT" in texts and "value < LIMIT -> value >= LIMIT" in texts
    )
    assert "value < LIMIT and value -> value < LIMIT or value" in texts
    assert "not value -> value" in texts and "3 -> 4" in texts and "3 -> 2" in texts
    assert "value += value -> value -= value" in texts and "value += value -> pass" in texts
    assert "return value -> return None" in texts
    assert not [text for text in texts if "nothing" in text or "A module" in text]
    names = [mutant.name for mutant in mutants("a.py", SOURCE)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("a = b << 8", "b << 8 -> b >> 8"),
        ("while a:\n    break", "break -> continue"),
        ("f(a[1:])", "f(a[1:]) -> pass"),
        ("self.a = 1", "self.a = 1 -> pass"),
        ("a = b if c else d", "c -> not c"),
        ("a = True", "True -> False"),
        ("a = -b", "-b -> b"),
        ("try:\n    a()\nexcept OSError:\n    raise", "raise -> pass"),
        ("a = [b for b in c if b > 1]", "b > 1 -> b >= 1"),
    ],
)
def test_each_kind_of_change(source, wanted):
    assert wanted in _texts(source)


def test_texts_and_the_log_are_left_alone():
    assert _texts('a = "x %d" % b') == []
    assert _texts('self._log.warn("x", "%d", 1)') == []


def test_a_mutant_is_compiled_by_its_number():
    for mutant in mutants("a.py", SOURCE):
        if mutant.new == "value >= LIMIT":
            space: dict[str, Any] = {}
            exec(compiled(SOURCE, mutant.number, "a.py"), space)
            assert space["grown"](1) == 1
    space = {}
    exec(compiled(SOURCE, None, "a.py"), space)
    assert space["grown"](1) == 4
    with pytest.raises(IndexError, match="no mutant 999"):
        compiled(SOURCE, 999, "a.py")


GROWER = """
LIMIT = 4
_SPARE = 7

def grown(value):
    while value < LIMIT:
        value += 1
    return value
"""
TESTS = """
from pathlib import Path

from grower import grown

def test_it_grows():
    assert grown(0) == 4 and grown(1) == 4

def test_it_knows_its_limit():
    assert grown(4) == 4

def test_no_other_mutant_has_left_a_file():
    left = Path("build/left")
    assert grown(4) == 4 and not left.exists()
    left.touch()
"""


@pytest.fixture
def group(tmp_path, monkeypatch):
    (tmp_path / "grower.py").write_text(GROWER)
    (tmp_path / "test_grower.py").write_text(TESTS)
    monkeypatch.setattr(tool, "BUILD", tmp_path / "mutants")
    monkeypatch.setattr(tool, "LEAST_S", 1.0)  # some do not end
    monkeypatch.syspath_prepend(str(tmp_path))
    return tool.Group("small", ("grower.py",), ("test_grower.py",), tmp_path)


def _run(group, listed=None):
    return tool.run(group, 999, 1, tool.Known(group), listed or {})


@pytest.mark.slow
def test_what_must_be_killed_is_and_what_changes_nothing_survives(group, monkeypatch):
    assert tool.sound(group) == ""  # the same way, with nothing changed
    result = _run(group)
    alive = {f"{mutant.code} {mutant.old} -> {mutant.new}" for mutant in result.alive}
    assert {"_SPARE = 7 7 -> 8", "_SPARE = 7 7 -> 6"} <= alive  # nobody looks at it
    assert "value += 1 value += 1 -> pass" not in alive  # it does not end
    killers = {
        name.split(" | ", 2)[2]: row["killer"] for name, row in tool.Known(group).kept.items()
    }
    assert killers["value += 1 | value += 1 -> pass"] == "test_grower.py::test_it_grows"
    assert "value += 1 value += 1 -> value -= 1" not in alive  # nor this
    assert "while value < LIMIT: value < LIMIT -> value <= LIMIT" not in alive
    assert result.tried == result.all == result.killed + len(result.alive)
    assert len(result.alive) == 2, alive
    # What is known is not tried again, until something changes.
    known = tool.Known(group)
    assert all(known.killer(mutant) == "" for mutant in result.alive)
    monkeypatch.setattr(tool, "_start", None)
    assert _run(group) == result
    source = group.root / "grower.py"
    source.write_text(source.read_text() + "\n")
    assert tool.Known(group).killer(result.alive[0]) is None
    source.write_text(source.read_text()[:-1])
    tests = group.root / "test_grower.py"
    tests.write_text(TESTS + "\n# one more\n")
    assert tool.Known(group).killer(result.alive[0]) is None  # a new test may see it


def test_a_row_of_the_list_that_is_no_more_true_is_said(group, monkeypatch):
    found = mutants("grower.py", (group.root / "grower.py").read_text())
    kill = {m.name: "test_grower.py::test_it_grows" for m in found if "_SPARE" not in m.code}
    monkeypatch.setattr(tool.Known, "killer", lambda self, m: kill.get(m.name, ""))
    monkeypatch.setattr(tool.Known, "look", lambda self: {"failed": [], "seconds": {}})
    gone = "grower.py | | x = 1 | 1 -> 2"
    spare = next(m.name for m in found if "_SPARE" in m.code)
    result = _run(group, {gone: "why", next(iter(kill)): "why", spare: "why"})
    assert result.stale == [f"is no more: {gone}", f"is killed: {next(iter(kill))}"]


def test_a_sample_stays_when_a_line_changes(tmp_path):
    source = SOURCE * 3
    (tmp_path / "a.py").write_text(source)
    group = tool.Group("small", ("a.py",), (), tmp_path)
    first, every = tool.chosen(group, 20, 1)
    (tmp_path / "a.py").write_text("# one line more\n" + source + "\nx = 1\n")
    second, more = tool.chosen(group, 20, 1)
    assert len(first) == len(second) == 20 and len(more) == len(every) + 2
    assert len({m.name for m in first} & {m.name for m in second}) >= 18
    other, _ = tool.chosen(group, 20, 2)
    assert {m.name for m in other} != {m.name for m in first}


def test_a_list_gives_each_survivor_a_reason():
    assert tool.survivors("# words\na\nb\n  one\n  reason\n\nc\n  other\n") == {
        "a": "one reason",
        "b": "one reason",
        "c": "other",
    }
    with pytest.raises(ValueError, match="no reason for: c"):
        tool.survivors("a\n  one\nc\n")
    with pytest.raises(ValueError, match="twice: a"):
        tool.survivors("a\n  one\na\n  two\n")


def test_the_list_names_mutants_that_are_there():
    sources = Path(tool.ROOT)
    there = {
        mutant.name
        for group in tool.GROUPS
        for file in group.files
        for mutant in mutants(file, (sources / file).read_text())
    }
    assert not set(tool.survivors(tool.SURVIVORS.read_text())) - there


def test_a_group_watches_files_and_tests_that_exist():
    for group in tool.GROUPS:
        assert all((tool.ROOT / name).is_file() for name in (*group.files, *group.tests))


@pytest.mark.parametrize(("killed", "words"), [(90, "all bars reached"), (89, "bars missed")])
def test_what_a_run_of_all_groups_has_seen_is_kept_whether_or_not_it_held(
    killed, words, tmp_path, monkeypatch
):
    def ran(group, *_):
        return tool.Result(group.name, killed, 100, 900, [], [])

    for name, stand_in in (("run", ran), ("_warm", lambda root: None), ("Known", lambda *_: None)):
        monkeypatch.setattr(tool, name, stand_in)
    monkeypatch.setattr(tool.close, "__defaults__", (tmp_path,))
    monkeypatch.setattr("os.nice", lambda more: 0)
    monkeypatch.setattr("sys.argv", ["mutants", "100", "boot"])
    assert tool.main() == (killed < 90)
    assert not list(tmp_path.iterdir())  # one group is not the proof
    monkeypatch.setattr("sys.argv", ["mutants", "100"])
    assert tool.main() == (killed < 90)
    kept = json.loads((tmp_path / "mutants.json").read_text())
    assert kept["held"] == (killed == 90) and f"boot {killed}/100" in kept["line"]
    assert words in kept["line"]


def test_what_runs_at_import_is_tried_against_every_test_of_the_file(group):
    found = mutants("grower.py", (group.root / "grower.py").read_text())
    limit = next(m for m in found if m.code == "LIMIT = 4")
    inner = next(m for m in found if m.code == "value += 1")
    one, other = "test_grower.py::test_it_grows", "test_grower.py::test_it_knows_its_limit"
    # Whichever test imports a module first was there when its constants came to be.
    lines = {str(limit.line): [one], str(inner.line): [one], str(inner.line + 1): [one, other]}
    look: dict[str, Any] = {"lines": {"grower.py": lines}, "failed": []}
    looks_on = "test_grower.py::test_what_it_is_called"  # comes by no line
    look["seconds"] = {one: 1.0, other: 1.0, looks_on: 2.0, "test_else.py::test_x": 1.0}
    assert tool._against(look, group, limit) == [one, other, looks_on]
    assert tool._against(look, group, inner) == [one]
