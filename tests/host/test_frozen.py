"""What `make frozen` says when it cannot build, and what it calls a fault."""

import re
import subprocess

import pytest

from tests import frozen
from tests.heap_world import Life, Look


def _tree(folder, without=""):
    for name in frozen._NEEDED:
        if name != without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    return folder


@pytest.mark.parametrize("name", frozen._NEEDED)
def test_sources_without_a_submodule_are_refused_by_its_name(tmp_path, name):
    assert frozen.lacks(_tree(tmp_path)) == []
    (tmp_path / name).unlink()
    with pytest.raises(SystemExit, match=re.escape(f"has no {name}")):
        frozen.build(tmp_path)


def test_a_build_that_fails_shows_its_last_words(tmp_path, monkeypatch):
    tree = _tree(tmp_path / "tree")
    monkeypatch.setattr(frozen, "FOLDER", tmp_path / "build")
    (tree / "mpy-cross").mkdir()
    (tree / "mpy-cross" / "Makefile").write_text("all:\n\t@echo no compiler here; exit 1\n")
    with pytest.raises(SystemExit, match=r"(?s)mpy-cross does not build.*no compiler here"):
        frozen.build(tree)


def test_both_parts_are_built_with_the_variant_of_this_checkout(tmp_path, monkeypatch):
    calls = []

    def run(command, **_):
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(frozen.subprocess, "run", run)
    monkeypatch.setattr(frozen, "FOLDER", tmp_path / "build")
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "frozen_content.c").touch()
    frozen.build(_tree(tmp_path / "tree"))
    assert [command[2] for command in calls] == [
        str(tmp_path / "tree" / "mpy-cross"),
        str(tmp_path / "tree" / "ports/unix"),
    ]
    assert f"VARIANT_DIR={frozen.VARIANT}" in calls[1] and frozen.VARIANT.is_dir()
    assert not (tmp_path / "build" / "frozen_content.c").exists(), "what is gone is not frozen in"


def test_the_closing_line_has_the_stretch_where_it_was_shortest():
    life = Life(least=frozen.RUNTIME.least)
    life.looks = [Look("cycle", 50, 90_000, 1, 60_000), Look("cycle", 100, 90_100, 1, 50_000)]
    text = frozen.line(life, [], 100, 7)
    assert "90,100 live, the longest free stretch is 50,000, 40,960 are wanted; 0 faults" in text
