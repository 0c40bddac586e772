"""The commands of the READMEs exist, with their options; the French guide has the English ones."""

import re
import shlex
from pathlib import Path

import pytest

from host_tools import __main__ as root

ROOT = Path(__file__).resolve().parents[2]
READMES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(ROOT).parts)
)


@pytest.fixture(scope="module")
def eclor():
    return root.eclor()


def _commands(text: str) -> list[str]:
    """Return the command lines of a text: those of its blocks, and those between backticks."""
    text = text.replace("\\\n", " ")
    lines = re.findall(r"^ {4}(?:sudo )?(?:\.venv/bin/)?(eclor .*)$", text, re.MULTILINE)
    lines += re.findall(r"(?<!`)`(eclor [^`\n]+)`(?!`)", text)
    return [" ".join(re.sub(r"(?<!\S)#.*", "", line).split()) for line in lines]


def _wrong(eclor, line: str) -> str:
    """Return what `eclor` does not know of a command line; "" when it knows all of it."""
    command, words = eclor, shlex.split(line)[1:]
    while words and hasattr(command, "commands"):
        if words[0].startswith("-"):
            break
        verbs = words.pop(0).split("|")
        for verb in verbs:
            if verb not in command.commands:
                return f"no verb {verb}"
        command = command.commands[verbs[0]]
    known = {"--help", "--install-completion"}
    known |= {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
    options = [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    return ", ".join(option for option in options if option not in known)


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_command_of_a_readme_exists(eclor, path):
    wrong = {line: _wrong(eclor, line) for line in _commands(path.read_text(encoding="utf-8"))}
    assert not {line: what for line, what in wrong.items() if what}


def test_a_command_that_does_not_exist_is_found(eclor):
    assert _wrong(eclor, "eclor flesh --all") == "no verb flesh"
    assert _wrong(eclor, "eclor ca create X --colour red") == "--colour"
    assert _wrong(eclor, "eclor flash esp32_poe --all") == ""


def test_the_french_guide_types_what_the_readme_types():
    english, french = (
        _commands((ROOT / name).read_text(encoding="utf-8"))
        for name in ("README.md", "README.fr.md")
    )
    assert len(french) > 20
    block = [line for line in english if re.match(r"eclor (?!demo|mock|compliance)", line)]
    first_hour = block[: block.index("eclor label gw-town-hall.claim.json") + 1]
    assert [line for line in dict.fromkeys(french) if line in first_hour] == first_hour
    assert {line for line in french if " --" in line} <= set(english) | {"eclor flash --help"}
