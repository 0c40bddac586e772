"""agent/scrub.py: nothing of what was removed is left on a real littlefs, wherever it lay."""

# A small flash beside the test:
# heap: 2m

import os
import random

from agent.store import Files
from tests.fakes.nor_flash import NorFlash
from tests.skips import skip

_KEY = b"the private key of this gateway."


def _flash(blocks, unit):
    return NorFlash(bytearray(b"\xff" * (blocks * 4096)), program_size=unit)


def _mount(device, unit):
    os.mount(os.VfsLfs2(device, progsize=unit, readsize=unit, lookahead=32), "/scrubbed")


def _write(name, size):
    with open("/scrubbed/" + name, "wb") as file:
        file.write(_KEY * (size // len(_KEY)))


def _forgotten(seed, unit):
    """Live for a while with seeded files, forget them, return how often the key is left."""
    random.seed(seed)
    device = _flash(random.randrange(32, 44), unit)
    os.VfsLfs2.mkfs(device, progsize=unit, readsize=unit, lookahead=32)
    _mount(device, unit)
    names = ["own.key"]
    os.mkdir("/scrubbed/certs")
    os.mkdir("/scrubbed/a")
    for number in range(random.randrange(3, 12)):
        names.append("f%d" % number)
        _write("a/keeps%d" % number, 0)
        _write(random.choice(names), random.choice((32, 64, 96, 700, 5000)))
        _write("certs/own.key", 64)
    os.umount("/scrubbed")
    assert _KEY in device.data
    _mount(device, unit)  # littlefs' search begins where the seed says
    os.remove("/scrubbed/certs/own.key")
    os.rmdir("/scrubbed/certs")
    for name in os.listdir("/scrubbed"):
        if name != "a":
            os.remove("/scrubbed/" + name)
    os.mkdir("/scrubbed/b")  # takes freed blocks, and erases one of two
    ground = Files("/scrubbed/.")
    before = os.statvfs("/scrubbed")[3]
    while ground.scrub():
        pass
    assert sorted(os.listdir("/scrubbed")) == ["a", "b"]
    assert abs(os.statvfs("/scrubbed")[3] - before) <= 2  # and the room is free again
    os.umount("/scrubbed")
    return _KEY[:16] in device.data or _KEY[-16:] in device.data


def test_what_was_forgotten_is_nowhere_on_the_flash():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    for unit in (32, 256):  # bytes of a program, on both chips
        left = [seed for seed in range(8) if _forgotten(seed, unit)]
        assert not left, "seeds %s at %d" % (left, unit)


def test_a_scrub_that_a_power_cut_ended_is_taken_up_again():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    device = _flash(40, 32)
    os.VfsLfs2.mkfs(device, progsize=32)
    for pieces in range(1, 60, 3):
        os.mount(os.VfsLfs2(device, progsize=32), "/scrubbed")
        ground = Files("/scrubbed/j")
        ground.open()
        ground.segments()
        assert ground.free_segments() > 28  # what fills the room went at once
        for _ in range(pieces):
            ground.scrub()
        os.umount("/scrubbed")  # the cut: nothing is tidied
    os.mount(os.VfsLfs2(device, progsize=32), "/scrubbed")
    ground = Files("/scrubbed/j")
    while ground.scrub():
        pass
    assert os.listdir("/scrubbed/j") == ["segments"] and not ground.names("segments")
    os.umount("/scrubbed")
