"""What `eclor` says, found in its sources; what its catalogues lack.

    python -m tests.messages           # entries that locale/fr.po lacks, ready to fill

Found are: help texts, the first two words of Problem(...) and Note(...), say(...), the rules of
agent/config.py, and what a gateway says to whoever ordered something: CannotDo(...). A sentence
that is put together has {0}, {1} ... where its parts go.
"""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

from host_tools import language

ROOT = Path(__file__).resolve().parent.parent
# What the tools say, what lines and options are refused with, and what a gateway answers.
_AGENT = ("certificates", "config", "handlers", "keys", "privacy", "reconfigure", "thin")
SOURCES = (
    *(f"agent/{name}.py" for name in (*_AGENT, "update", "upgrade")),
    "firmware/repair.py",
    *(
        str(path.relative_to(ROOT))
        for folder, pattern in (("drivers", "*.py"), ("host_tools", "**/*.py"))
        for path in sorted((ROOT / folder).glob(pattern))
    ),
)
# Their say() looks words of their own up (host_tools/look/words.py).
_OWN_WORDS = re.compile(r"host_tools/(page/(live|picture)|collect/pages/\w+)\.py")
# The lines of agent/privacy.py, which are put together in steps.
PRIVACY = (
    (1, "{0}: every reading, under its name"),
    (1, "{0}: personal, as {1}, one reading a day"),
    (1, "{0}: personal, as {1}, one reading a day; every {2} s by consent {3} until {4}"),
)
_SAYS = {
    "CannotDo": 1,
    "_card": 1,
    "_press": 1,
    "_secret": 1,
    "say": 1,
    "Fit": 2,
    "hold_back": 1,
    "on_progress": 1,
    "Note": 3,
    "Step": 3,
    "Problem": 2,
}
_RAISED = {"BadFrame": 1, "Refused": 1, "ValueError": 1}  # of a line, and of an option
_TABLES = {
    "WORDS",
    "_MEDIA",
    "_REFUSALS",
    "_STATUSES",
    "_REMEDIES",
    "_KIND_NAMES",
    "NOTHING",
    "ONE_VALUE",
    "NO_TEXT",
}
_RETURNED = {"findings.py", "promise.py", "rules.py", "site_file.py", "site_rules.py", "thin.py"}
_TURNED = re.compile(r"%[-0-9]*[srdx]")


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, message) of a source file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    has_own_words = bool(_OWN_WORDS.search(path.as_posix()))
    is_command = path.parent.name == "commands" or path.name == "__main__.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # In a rollout the state of a gateway says what became of its fetch.
            more = {"ValueError": 1} if path.name == "update.py" else {}
            more = {**more, "say": 0, "Note": 0} if has_own_words else more
            yield from _of_call(node, _RAISED if path.parent.name == "drivers" else more)
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "remedy":
            yield node.lineno, _sentence(node.value)
        elif is_command and isinstance(node, ast.FunctionDef) and _is_verb(node):
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                yield node.lineno, " ".join(part.split())
    if path.name in ("config.py", "thin.py"):
        yield from _of_rules(tree)
    if path.name == "privacy.py":
        yield from PRIVACY
    if path.name in _RETURNED:
        yield from _of_returns(tree)
    yield from _of_tables(tree)


def _is_verb(node: ast.FunctionDef) -> bool:
    return node.name == "command" or any(
        ast.unparse(decorator).startswith("app.command(") for decorator in node.decorator_list
    )


def _of_call(node: ast.Call, more: dict[str, int]) -> Iterator[tuple[int, str]]:
    name = str(getattr(node.func, "id", "") or getattr(node.func, "attr", ""))
    for keyword in node.keywords:
        if name in ("Option", "Argument", "Typer") and keyword.arg in ("help", "epilog"):
            yield node.lineno, _sentence(keyword.value)
    if name in ("add", "_say", "_fail", "append") and len(node.args) > 1:
        for argument in node.args[1:]:
            yield node.lineno, _sentence(argument)
    if ast.unparse(node.func) == "mistakes.append":
        yield node.lineno, _sentence(node.args[0])
    first = 1 if name in ("Fit", "Note", "Step") else 0
    for argument in node.args[first : {**_SAYS, **more}.get(name, 0)]:
        if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Mod):  # of the device
            yield node.lineno, _turned(_sentence(argument.left))
        if isinstance(argument, ast.IfExp):
            yield node.lineno, _sentence(argument.body)
            argument = argument.orelse  # noqa: PLW2901
        yield node.lineno, _sentence(argument)
    for keyword in node.keywords:
        if name in _SAYS and keyword.arg in ("what", "remedy", "rule"):
            yield node.lineno, _sentence(keyword.value)


def _of_rules(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts "path: rule" of the device; the path and a leading value are taken off."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "%" in node.value:
            _, colon, rule = node.value.partition(": ")
            text = rule if colon else node.value
            if text.endswith(("].", "]")) or text.startswith("[%d]"):
                continue  # a part of a path
            yield node.lineno, _turned(re.sub(r"^(%[srd]|the value) (?=is |has )", "", text))
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Constant):
            if isinstance(node.value.value, str):
                yield node.lineno, node.value.value


def _of_returns(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What functions give back that find the right words for a rule."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            value = node.value
            parts = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
            for part in parts:
                for inner in part.values if isinstance(part, ast.BoolOp) else [part]:
                    text = _sentence(inner)
                    if " " in text.strip() and not text.startswith("{0}:{1}:"):
                        yield node.lineno, text


def _of_tables(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Tables of sentences, by their names, and sentences that have a name."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and " " in _sentence(node.value):
            if ast.unparse(node.targets[0]) in _TABLES:
                yield node.lineno, _sentence(node.value)
        targets = node.targets if isinstance(node, ast.Assign) else []
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        if names & _TABLES and isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
            for value in node.value.values:
                yield value.lineno, _sentence(value)


def _turned(text: str) -> str:
    """Return "%d of %s" as "{0} of {1}"."""
    counter = iter(range(20))
    return _TURNED.sub(lambda _: "{%d}" % next(counter), text)


def _sentence(node: ast.expr) -> str:
    """Return a literal; of a sentence that is put together its template; "" of all else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return " ".join(node.value.split()) if "\n" in node.value else node.value
    if isinstance(node, ast.JoinedStr):
        counter = iter(range(20))
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "{%d}" % next(counter)
            for part in node.values
        )
    return ""


def of_sources(paths: Iterator[Path]) -> dict[str, str]:
    """Return message -> "file:line" of the first place that says it."""
    found: dict[str, str] = {}
    for path in paths:
        for line, text in messages(path):
            if re.search(r"[^\W\d_]{2}", re.sub(r"\{\w+\}", "", text)):
                found.setdefault(text, f"{path.relative_to(ROOT)}:{line}")
    return found


def missing(code: str, found: dict[str, str]) -> dict[str, str]:
    """Return those of the messages that the catalogue of a language lacks."""
    path = language.FOLDER / f"{code}.po"
    known = dict(language.read_po(path.read_text(encoding="utf-8"))) if path.exists() else {}
    return {text: where for text, where in found.items() if not known.get(text)}


def main() -> int:
    """Print what is missing as entries of a .po file."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    paths = map(ROOT.joinpath, SOURCES)
    for text, where in missing("fr", of_sources(iter(paths))).items():
        print(f'#: {where}\nmsgid {json.dumps(text, ensure_ascii=False)}\nmsgstr ""\n')
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
