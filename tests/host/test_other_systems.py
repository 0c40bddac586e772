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
from tests.messages import ROOT, TRANSLATED

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
sys.argv = ["eclor", *sys.argv[1:]]
from host_tools.__main__ import main
main()
"""


def _eclor(home, *words, text=""):
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ECLOR_HOME": str(home)},
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--help",), 0),
        (("boards",), 0),
        (("check", "site.example.yaml"), 0),
        (("schema",), 0),
        (("maps",), 0),
        (("devices",), 4),
        (("doctor",), (0, 6)),
        (("images", "list"), 0),
        (("flash", "rpi_pico_w"), 3),
        (("monitor", "--port", "/dev/nothing-here"), 4),
        (("monitor", "--broker", "127.0.0.1:9"), 5),
        (("capture", "nowhere.bin", "--port", "/dev/nothing-here"), 4),
        (("read", "--map", "sdm630", "--port", "/dev/nothing-here"), 4),
        (("read", "--map", "sdm630", "--tcp", "127.0.0.1:9"), 5),
        (("scan", "--port", "/dev/nothing-here"), 4),
        (("read", "--map", "sdm630", "--via", "gateway", "--port", "/dev/nothing-here"), 4),
        (("deploy", "--board", "rpi_pico_w", "--port", "/dev/nothing-here"), 4),
        (("config", "show", "--port", "/dev/nothing-here"), 4),
        (("maintenance", "on", "--port", "/dev/nothing-here"), 4),
        (("logs", "--port", "/dev/nothing-here"), 4),
        (("backup", "gw.zip", "--port", "/dev/nothing-here"), 4),
        (("restore", "nowhere.zip", "--port", "/dev/nothing-here"), 4),
        (("ca", "show"), 3),
        (("provision", "--site", "site.example.yaml", "--port", "/dev/nothing-here"), 4),
        (("accept", "--verify", "README.md"), 3),
        (("label", "README.md"), 3),
    ],
    ids=str,
)
def test_a_verb_runs_without_posix(tmp_path, words, code):
    done = _eclor(tmp_path, *words)
    codes = code if isinstance(code, tuple) else (code,)
    assert done.returncode in codes, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "wants" not in done.stderr, done.stderr


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
    names = [*TRANSLATED, *(str(p) for p in (ROOT / "host_tools" / "desk").glob("*.py"))]
    for name in names:
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        found = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & calls
        assert not found, f"{name}: {found}"
