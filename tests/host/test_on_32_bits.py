"""The run on 32-bit MicroPython sees a failure, a file without a test, a number too large."""

import pytest

from tests import on_32_bits
from tests.on_32_bits import ROOT, run_files

_FILES = {
    "test_good.py": "def test_it():\n    pass\n",
    "test_bad.py": "def test_it():\n    assert list(range(1766534400000, 1766534400002))\n",
    "test_empty.py": "X = 1\n",
    "test_broken.py": "import nothing_of_this_name\n",
}


@pytest.fixture
def project(tmp_path):
    if on_32_bits.absent():
        pytest.skip(on_32_bits.absent())
    for folder in ("agent", "boards", "drivers", "firmware", "tests"):
        (tmp_path / folder).mkdir()
    for name in ("__init__.py", "micropython_runner.py", "skips.py"):
        (tmp_path / "tests" / name).write_text((ROOT / "tests" / name).read_text())
    for name, text in _FILES.items():
        (tmp_path / "tests" / name).write_text(text)
    return tmp_path


def test_failures_and_files_without_a_test_are_seen(project):
    paths = [project / "tests" / name for name in _FILES]
    counts, told = run_files(paths, project)
    assert counts == [1, 3, 0]
    assert "machine word" in told and "test_empty" in told and "nothing_of_this_name" in told


def test_what_is_left_out_is_counted_with_its_reason(project, monkeypatch):
    monkeypatch.setitem(on_32_bits.LEFT_OUT, "test_bad.py", {"test_it": "because"})
    counts, told = run_files([project / "tests" / "test_bad.py"], project)
    assert counts == [0, 0, 1] and "because" in told


def test_every_test_that_is_left_out_is_there():
    for name, tests in on_32_bits.LEFT_OUT.items():
        text = (ROOT / "tests" / "unit" / name).read_text()
        assert not [test for test in tests if f"def {test}(" not in text], name


def test_without_node_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(on_32_bits.shutil, "which", lambda name: None)
    monkeypatch.setattr("sys.argv", ["on_32_bits"])
    assert on_32_bits.main() == 0
    assert "skipped: no node" in capsys.readouterr().out
