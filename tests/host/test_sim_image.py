"""An image built here is mounted by MicroPython, and the other way round."""

import json
import subprocess
from pathlib import Path

import pytest

from host_tools.packing import bundle, image
from host_tools.problems import Problem
from host_tools.processes.broker import program

SECRET = "ca9a" * 16
_MOUNT = """
import sys, vfs, json
class Flash:
    def __init__(self, path):
        self.file = open(path, "r+b")
    def readblocks(self, block, data, at=0):
        self.file.seek(block * 4096 + at)
        self.file.readinto(data)
    def writeblocks(self, block, data, at=None):
        self.file.seek(block * 4096 + (at or 0))
        self.file.write(data)
    def ioctl(self, op, argument):
        if op == 3:
            self.file.flush()
        if op == 4:
            return 256
        if op == 5:
            return 4096
        if op == 6:
            return 0
vfs.mount(vfs.VfsLfs2(Flash(sys.argv[1])), "/flash")
sys.path[:] = ["/flash"]
import boot
vfs.mount(boot.Slot("/flash/a"), "/app")
sys.path[:] = ["/app"]
from drivers.reading import decimal_text
print(decimal_text(2304, -1), json.load(open("/flash/config-a.json"))["gateway"])
with open("/flash/note", "w") as note:
    note.write("from the device")
"""


@pytest.fixture(scope="module")
def flash(tmp_path_factory):
    folder = tmp_path_factory.mktemp("image")
    path = folder / "gw.img"
    files = {"/keys/upstream.der": b"\x30\x00"}
    configuration = {"gateway": "gw-école", "uplink": {"key": SECRET}}
    image.build(path, configuration, files=files)
    return path


def test_micropython_runs_what_was_built(flash):
    done = subprocess.run(
        [program("micropython"), "-c", _MOUNT, str(flash)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout == "230.4 gw-école\n", done.stderr
    assert image.read(flash, "/note") == b"from the device"


def test_the_layout_is_a_boards_own(flash):
    listing = image.listing(flash)
    assert {"/boot.mpy", "/slot", "/a", "/config-a.json", "/keys/upstream.der"} <= set(listing)
    inside = {row.path for row in bundle.read(image.read(flash, "/a")).rows}
    assert "drivers/reading.mpy" in inside
    assert not any(name.endswith("boot.mpy") for name in inside)
    assert json.loads(image.read(flash, "/config-a.json")) == {"gateway": "gw-école", "uplink": {}}
    assert SECRET.encode() not in image.read(flash, "/config-a.json")
    assert SECRET.encode() in image.read(flash, "/secrets-a.json")


def test_looking_changes_nothing(flash):
    before = flash.read_bytes()
    image.listing(flash)
    assert flash.read_bytes() == before


def test_a_flash_that_is_too_small_is_a_problem(tmp_path):
    (tmp_path / "boot.py").touch()
    with pytest.raises(Problem, match="does not fit"):
        image.build(tmp_path / "small.img", {}, blocks=8, boot=tmp_path / "boot.py")


def test_a_file_that_is_not_in_the_image_is_a_problem(flash):
    with pytest.raises(Problem, match="/nothing is not in"):
        image.read(flash, "/nothing")


def test_a_file_that_is_no_image_is_a_problem(tmp_path):
    path = tmp_path / "noise.img"
    path.write_bytes(b"noise" * 8192)
    with pytest.raises(Problem, match="LFS_ERR"):
        image.listing(path)


def test_what_tls_assumes_is_never_before_the_day_of_the_build(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1900000123")
    for name in ("agent/clock.py", "drivers/ticks.py"):
        out = tmp_path / Path(name).with_suffix(".mpy")
        out.parent.mkdir()
        image.compile_source(Path(name), out)
    told = "from agent.clock import Clock; print(Clock().tls_ms())"
    done = subprocess.run(
        [program("micropython"), "-c", told],
        cwd=tmp_path,  # or MicroPython would import the sources
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) == 1900000123 // 86400 * 86400 * 1000
    assert [path.name for path in (tmp_path / "agent").iterdir()] == ["clock.mpy"]
