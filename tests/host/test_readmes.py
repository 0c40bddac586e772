"""The commands of the READMEs exist and run; the French guide has the English ones."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from host_tools import __main__ as root
from host_tools.flashing.images import Images
from host_tools.packing import release
from tests.host.test_flash import esp_image

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


def test_the_office_part_of_the_first_gateway_does_what_it_says(tmp_path):
    """Each of its commands as it stands there, in a shell, on a computer that has no network."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    office = text.partition("Once, in the office")[2].partition("Then for each board")[0]
    commands = re.findall(r"^ {4}(eclor .*?) *(?:#.*)?$", office, re.MULTILINE)
    assert [command.split()[1] for command in commands] == (
        ["ca", "images", "keys", "bundle", "site", "check"]
    )
    (tmp_path / "OLIMEX_ESP32_POE-20260401-v1.28.0.bin").write_bytes(esp_image())
    (tmp_path / "eclor").write_text(f'#!/bin/sh\nexec {sys.executable} -m host_tools "$@"\n')
    (tmp_path / "eclor").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ECLOR_HOME": str(tmp_path / "home"),
        "ECLOR_PASSPHRASE": "une longue phrase de passe",
    }
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            input="mairie\n\nesp32_poe\n\n\n",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, command + "\n" + done.stdout + done.stderr
    release.verify(
        (tmp_path / "firmware.ecl").read_bytes(), (tmp_path / "release.pub").read_bytes()
    )
    assert [image.boards for image in Images(tmp_path / "home" / "images").known()]
