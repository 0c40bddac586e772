"""The technician's verbs on Windows and macOS: nothing of ours that only POSIX has is touched.

The libraries below (pyserial ...) choose their own way on each system; here they keep POSIX's,
while every module of host_tools finds pty, termios and their like absent.
"""

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.host.test_flash import uf2_image
from tests.messages import ROOT, SOURCES

_WITHOUT = """
import builtins, os, signal, sys

ABSENT = {"pty", "tty", "termios", "fcntl", "grp", "pwd", "resource", "posix", "syslog", "crypt"}
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    who = (globals or {}).get("__name__", "")
    if name.partition(".")[0] in ABSENT and who.startswith(("host_tools", "agent", "drivers")):
        raise ImportError(f"{who} wants {name}: no such module on Windows")
    return real(name, globals, locals, fromlist, level)

builtins.__import__ = without
"""
_ONE = """
sys.argv = ["eclor", *sys.argv[1:]]
from host_tools.__main__ import main
main()
"""
# Every verb in one process, as each start costs as much as the verb.
_ALL = """
import contextlib, io, json
from host_tools.__main__ import main
for words in json.load(sys.stdin):
    said = [io.StringIO(), io.StringIO()]
    sys.argv = ["eclor", *words]
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    code = 0
    with contextlib.redirect_stdout(said[0]), contextlib.redirect_stderr(said[1]):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            __import__("traceback").print_exc()
            code = -1
    print(json.dumps([code, said[0].getvalue(), said[1].getvalue()]), flush=True)
"""


def _eclor(home, *words, text="", script=_ONE):
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT + script, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ECLOR_HOME": str(home)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


NOWHERE = ("--port", "/dev/nothing-here")
CASES = [
    (("--help",), 0),
    (("accept", "--verify", "README.md"), 3),
    (("backup", "gw.zip", *NOWHERE), 4),
    (("boards",), 0),
    (("bundle", "HOME/x.ecl", "--board", "esp33", "--version", "1", "--counter", "1"), 3),
    (("ca", "create", "Ville", "--folder", "HOME/ca"), 2),
    (("ca", "issue", "broker", "--folder", "HOME/ca"), 3),
    (("ca", "open", "README.md", "--keys", "HOME/k", "--folder", "HOME/ca"), 2),
    (("ca", "permissions", "--site", "site.example.yaml"), 0),
    (("ca", "revoke", "gw", "--folder", "HOME/ca"), 3),
    (("ca", "show"), 3),
    (("capture", "nowhere.bin", *NOWHERE), 4),
    (("check", "site.example.yaml"), 0),
    (("codec", "stats", "README.md"), 3),
    (("collect", "--import", "README.md"), 3),
    (("compliance",), (0, 3)),
    (("config", "show", *NOWHERE), 4),
    (("config", "problems", "--site", "site.example.yaml", *NOWHERE), 4),
    (("config", "push", "--site", "site.example.yaml", *NOWHERE), 4),
    (("console", *NOWHERE), 6),
    (("deploy", "--board", "rpi_pico_w", *NOWHERE), 4),
    (("devices",), (0, 4)),
    (("doctor",), (0, 6)),
    (("flash", "rpi_pico_w"), 3),
    (("images", "list"), 0),
    (("images", "remove", "x"), 3),
    (("keys", "HOME/x.pem"), 2),
    (("label", "README.md"), 3),
    (("locate", *NOWHERE), 4),
    (("logs", *NOWHERE), 4),
    (("maintenance", "on", *NOWHERE), 4),
    (("maintenance", "off", *NOWHERE), 4),
    (("maps",), 0),
    (("monitor", *NOWHERE), 4),
    (("monitor", "--broker", "127.0.0.1:9"), 5),
    (("parse", "tic", "nowhere.bin"), 3),
    (("provision", "--site", "site.example.yaml", *NOWHERE), 4),
    (("read", "--map", "sdm630", *NOWHERE), 4),
    (("read", "--map", "sdm630", "--tcp", "127.0.0.1:9"), 5),
    (("read", "--map", "sdm630", "--via", "gateway", *NOWHERE), 4),
    (("reset", *NOWHERE), 4),
    (("restore", "nowhere.zip", *NOWHERE), 3),
    (("rollout", "nowhere.ecl", "--keys", "k", "--public", "p", "--broker", "h:1"), 2),
    (("scan", *NOWHERE), 4),
    (("schema",), 0),
    (("site", "diff", "site.example.yaml", "site.example.yaml"), 0),
    (("site", "new", "HOME/s.yaml"), 3),
    (("ui", "--out", "nowhere"), 3),
    (("write", "0", "1", *NOWHERE), 4),
]
# They simulate, or serve an office's data: on POSIX alone, or no work of a technician.
NOT_HERE = {"demo", "exchange", "export", "fleet", "mock", "pages"}
POSIX_ROOMS = ("sim/", "demo/", "processes/", "collect/fleet/")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What each verb of CASES said: words -> code, output, errors."""
    home = tmp_path_factory.mktemp("home")
    words = [[word.replace("HOME", str(home)) for word in words] for words, _ in CASES]
    done = _eclor(home, text=json.dumps(words), script=_ALL)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(CASES), done.stderr
    return dict(zip((words for words, _ in CASES), rows, strict=True))


@pytest.mark.parametrize(("words", "code"), CASES, ids=str)
def test_a_verb_runs_without_posix(told, words, code):
    found, out, errors = told[words]
    codes = code if isinstance(code, tuple) else (code,)
    assert found in codes, out + errors
    assert "Traceback" not in errors and "wants" not in errors, errors


def test_every_verb_of_a_technician_is_among_them():
    verbs = {path.stem for path in (ROOT / "host_tools" / "commands").glob("[a-z]*.py")}
    assert verbs == {words[0] for words, _ in CASES if words[0][0] != "-"} | NOT_HERE


def test_a_site_is_written_and_a_pico_flashed_without_posix(tmp_path):
    site = tmp_path / "site.yaml"
    done = _eclor(tmp_path, "site", "new", str(site), text="a\n\nesp32_poe\n\n\n")
    assert done.returncode == 0 and site.exists(), done.stderr
    file = tmp_path / "RPI_PICO_W-1.uf2"
    file.write_bytes(uf2_image())
    assert _eclor(tmp_path, "images", "add", str(file)).returncode == 0
    done = _eclor(tmp_path, "flash", "rpi_pico_w", "--port", str(tmp_path), "--json")
    assert done.returncode == 4 and json.loads(done.stdout)["what"].endswith("waiting Pico")


def test_what_is_absent_is_absent(tmp_path):
    done = _eclor(tmp_path, "demo", "--seconds", "1", "--headless")
    assert "wants" in done.stderr, "the simulator lives on POSIX alone"


def test_no_call_that_only_posix_has():
    calls = {"fork", "forkpty", "openpty", "setsid", "getuid", "geteuid", "getpgid", "killpg"}
    calls |= {"mkfifo", "set_blocking", "statvfs", "SIGKILL", "SIGHUP", "SIGALRM", "setitimer"}
    rooms = tuple(f"host_tools/{room}" for room in POSIX_ROOMS)
    ours = [path for path in SOURCES if not path.startswith(rooms)]
    assert len(ours) > 150
    for path in ours:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & calls
        assert not found, f"{path}: {found}"
