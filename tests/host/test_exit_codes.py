"""Every documented exit code of `eclor` is produced, by its cause, and explained in the help."""

import json
import os
import re
import signal
import subprocess
import sys

import pytest

from host_tools import problems
from tests.messages import ROOT
from tests.typed import eclor

CODES = {
    name: value
    for name, value in vars(problems).items()
    if name.isupper() and isinstance(value, int)
}
CAUSES = {
    "OK": ("boards",),
    "FAILED": ("check", "BAD"),
    "USAGE": ("boards", "--colour"),
    "INPUT": ("boards", "esp33"),
    "DEVICE": ("monitor", "--port", "/dev/nothing-here"),
    "NETWORK": ("monitor", "--broker", "127.0.0.1:9"),
    "MISSING": ("console", "--port", "/dev/nothing-here"),
}


def test_each_code_has_a_cause_here():
    assert set(CAUSES) | {"INTERRUPTED"} == set(CODES)


@pytest.mark.parametrize("name", CAUSES)
def test_a_code_is_produced(name, tmp_path):
    bad = tmp_path / "site.yaml"
    bad.write_text("site: 5\n")
    done = eclor(*(str(bad) if word == "BAD" else word for word in CAUSES[name]))
    assert done.returncode == CODES[name], done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if CODES[name] > problems.USAGE:
        assert done.stderr.startswith("eclor: "), "what"
        assert "\n  -> " in done.stderr, "and what to do next"


@pytest.mark.parametrize("name", ["INPUT", "DEVICE", "NETWORK"])
def test_a_problem_is_an_object_with_json(name):
    done = eclor(*CAUSES[name], "--json")
    told = json.loads(done.stdout)
    assert told["code"] == CODES[name] and told["error"] and told["remedy"] and not done.stderr


def test_an_interruption_has_its_code(tmp_path):
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "host_tools", "site", "new", str(tmp_path / "s.yaml")],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        stdin=read,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert process.stderr.read(4) == "Name", "it has asked, and waits"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    os.close(read)
    os.close(write)
    assert process.returncode == problems.INTERRUPTED


def test_help_and_readme_explain_every_code():
    out = eclor("--help").stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for text in (" ".join(out.split()), " ".join(readme.split())):
        listed = re.search(r"[Ee]xit codes.*", text)
        assert listed
        for value in CODES.values():
            assert re.search(rf"\b{value} \w", listed[0]), f"{value} is not explained"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pages", "--database", "sqlite:///HERE/no.db"), "there is no database HERE/no.db"),
        (("export", "HERE/x", "--database", "sqlite:///HERE/no.db"), "there is no database"),
        (
            (
                "exchange",
                "gw/m",
                "e",
                "--at",
                "2026-05-04T10:30Z",
                "--database",
                "sqlite:///HERE/no",
            ),
            "there is no database HERE/no",
        ),
        (("codec", "encode", "HERE/s.csv", "--out", "HERE/nowhere/s"), "HERE/nowhere/s: No such"),
        (("images", "add", "HERE/s.csv"), "HERE/s.csv: this is no image of MicroPython"),
        (("bundle", "HERE/none.ecl", "--show"), "HERE/none.ecl: No such file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_none_is_made(tmp_path, words, says):
    (tmp_path / "s.csv").write_text("t,a\n1,2\n")
    done = eclor(*(word.replace("HERE", str(tmp_path)) for word in words))
    assert done.returncode == problems.INPUT, done.stderr
    assert says.replace("HERE", str(tmp_path)) in done.stderr and "\n  -> " in done.stderr
    assert os.listdir(tmp_path) == ["s.csv"]
