"""What `eclor` says, found in its sources; what its catalogues lack.

    python -m tests.messages           # entries that locale/fr.po lacks, ready to fill
    python -m tests.messages --all     # of every module, not only of those that are translated yet

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
# Every verb, and what stands below those of a technician; a module is added with its words.
TRANSLATED = (
    "agent/certificates.py",
    "agent/config.py",
    "agent/handlers.py",
    "agent/keys.py",
    "agent/privacy.py",
    "agent/reconfigure.py",
    "agent/thin.py",
    "agent/update.py",
    "agent/upgrade.py",
    "firmware/repair.py",
    "host_tools/__main__.py",
    "host_tools/acceptance/__init__.py",
    "host_tools/acceptance/cable.py",
    "host_tools/acceptance/findings.py",
    "host_tools/acceptance/paper.py",
    "host_tools/acceptance/running.py",
    "host_tools/acceptance/standing.py",
    "host_tools/cable/archive.py",
    "host_tools/flashing/bootloader.py",
    "host_tools/remote/broker_at.py",
    "host_tools/packing/bundle.py",
    "host_tools/trust/ca.py",
    "host_tools/desk/capture.py",
    "host_tools/desk/capture_text.py",
    "host_tools/trust/claim.py",
    "host_tools/commands/accept.py",
    "host_tools/commands/backup.py",
    "host_tools/commands/boards.py",
    "host_tools/commands/bundle.py",
    "host_tools/commands/ca.py",
    "host_tools/commands/capture.py",
    "host_tools/commands/check.py",
    "host_tools/commands/codec.py",
    "host_tools/commands/collect.py",
    "host_tools/commands/compliance.py",
    "host_tools/commands/config.py",
    "host_tools/commands/console.py",
    "host_tools/commands/demo.py",
    "host_tools/commands/deploy.py",
    "host_tools/commands/devices.py",
    "host_tools/commands/doctor.py",
    "host_tools/commands/exchange.py",
    "host_tools/commands/export.py",
    "host_tools/commands/flash.py",
    "host_tools/commands/fleet.py",
    "host_tools/commands/images.py",
    "host_tools/commands/keys.py",
    "host_tools/commands/label.py",
    "host_tools/commands/locate.py",
    "host_tools/commands/logs.py",
    "host_tools/commands/maintenance.py",
    "host_tools/commands/maps.py",
    "host_tools/commands/mock.py",
    "host_tools/commands/monitor.py",
    "host_tools/commands/pages.py",
    "host_tools/commands/parse.py",
    "host_tools/commands/provision.py",
    "host_tools/commands/read.py",
    "host_tools/commands/reset.py",
    "host_tools/commands/restore.py",
    "host_tools/commands/rollout.py",
    "host_tools/commands/scan.py",
    "host_tools/commands/schema.py",
    "host_tools/commands/site.py",
    "host_tools/commands/ui.py",
    "host_tools/commands/write.py",
    "host_tools/compliance/page.py",
    "host_tools/compliance/results.py",
    "host_tools/cable/console.py",
    "host_tools/cable/deploy.py",
    "host_tools/desk/identify.py",
    "host_tools/desk/mbus_scan.py",
    "host_tools/desk/reader.py",
    "host_tools/desk/scan.py",
    "host_tools/desk/through.py",
    "host_tools/desk/wires.py",
    "host_tools/doctor.py",
    "host_tools/flashing/esp_table.py",
    "host_tools/flashing/flash.py",
    "host_tools/flashing/images.py",
    "host_tools/labels.py",
    "host_tools/desk/line_record.py",
    "host_tools/planning/map_file.py",
    "host_tools/options.py",
    "host_tools/page/desk.py",
    "host_tools/page/work.py",
    "host_tools/trust/permissions.py",
    "host_tools/cable/ports.py",
    "host_tools/planning/promise.py",
    "host_tools/cable/prompt.py",
    "host_tools/cable/provision.py",
    "host_tools/collect/open_data.py",
    "host_tools/collect/rescue.py",
    "host_tools/remote/rollout.py",
    "host_tools/trust/secret_words.py",
    "host_tools/sheets.py",
    "host_tools/remote/serve_bundle.py",
    "host_tools/planning/site_file.py",
    "host_tools/planning/site_new.py",
    "host_tools/planning/site_rules.py",
    "host_tools/planning/site_words.py",
    "host_tools/flashing/uf2.py",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "drivers").glob("*.py")),
)
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
_TURNED = re.compile(r"%[-0-9]*[srdx]")


def messages(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, message) of a source file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    is_command = path.parent.name == "commands" or path.name == "__main__.py"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            # In a rollout the state of a gateway says what became of its fetch.
            more = {"ValueError": 1} if path.name == "update.py" else {}
            yield from _of_call(node, _RAISED if path.parent.name == "drivers" else more)
        elif is_command and isinstance(node, ast.FunctionDef) and _is_verb(node):
            for part in (ast.get_docstring(node) or "").split("\n\n"):
                yield node.lineno, " ".join(part.split())
    if path.name in ("config.py", "thin.py"):
        yield from _of_rules(tree)
    if path.name == "privacy.py":
        yield from PRIVACY
    if path.name in ("findings.py", "promise.py", "site_file.py", "site_rules.py", "thin.py"):
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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    paths = (ROOT / "host_tools").rglob("*.py") if options.all else map(ROOT.joinpath, TRANSLATED)
    for text, where in missing("fr", of_sources(iter(paths))).items():
        print(f'#: {where}\nmsgid {json.dumps(text, ensure_ascii=False)}\nmsgstr ""\n')
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
