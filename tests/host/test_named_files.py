"""Files that are named in READMEs, docstrings and comments are there: a move breaks no sign."""

import ast
import io
import re
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("agent", "boards", "drivers", "firmware", "host_tools", "tests")
_NAMED = re.compile(r"(?<![\w./<*-])((?:[\w-]+/)*[a-z_]\w*\.(?:py|md))\b(?![/(])")
_OF_OTHERS = {  # upstream's, and what a user would make
    "coverage.py",
    "gen_esp32part.py",
    "ports/rp2/modules/_boot.py",
    "tools/manifestfile.py",
    "maps/our_meter.py",
    "our_meter.py",
    "a.py",
    "a/b.py",
    "a/__init__.py",
}


def _texts(path: Path):
    """Return what a file says to readers: a README whole, docstrings and comments of code."""
    text = path.read_text()
    if path.suffix == ".md":
        return [text]
    tree = ast.parse(text)
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    said = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return said + [token.string for token in tokens if token.type == tokenize.COMMENT]


def _lacking(path: Path, text: str, names: set[str]):
    """Return the files that a text of `path` names and that are nowhere it may mean."""
    bases = (ROOT, ROOT / "host_tools", ROOT / "tests", *path.parents)
    for name in _NAMED.findall(text):
        is_there = name in names if "/" not in name else any((b / name).exists() for b in bases)
        if not is_there and name not in _OF_OTHERS:
            yield name


def _files():
    """Return everything that is read, by people or by Python."""
    listed = [*ROOT.glob("*.md"), *(p for room in ROOMS for p in (ROOT / room).rglob("*.md"))]
    code = [p for room in ROOMS for p in (ROOT / room).rglob("*.py")]
    return [path for path in listed + code if "__pycache__" not in path.parts]


def test_each_named_file_is_there():
    files = _files()
    names = {path.name for path in files}
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for text in _texts(path)
        for name in _lacking(path, text, names)
    ]
    assert len(files) > 500 and not found, "\n".join(found)


def test_a_file_that_is_nowhere_is_found():
    said = "as in drivers/tic.py, drivers/x.py, sim/lines.py, sim/y.py, tic.py, z.py and ADD.md"
    assert list(_lacking(ROOT / "README.md", said, {"tic.py"})) == [
        "drivers/x.py",
        "sim/y.py",
        "z.py",
    ]
