"""tests/fakes/nor_flash.py itself: what the journal's power cuts rest on."""

import os
from errno import EIO

from tests.fakes.nor_flash import FORMS, NorFlash, PowerCut
from tests.skips import skip


def _flash(blocks=4, **settings):
    return NorFlash(bytearray(b"\xff" * (blocks * 4096)), **settings)


def _read(flash, number=0, length=32, offset=0):
    out = bytearray(length)
    flash.readblocks(number, out, offset)
    return bytes(out)


def _raised(work, *args):
    try:
        work(*args)
    except OSError as error:
        return error.errno
    return 0


def test_a_program_only_clears_bits_and_an_erase_sets_them():
    flash = _flash()
    flash.writeblocks(1, b"\xf0" * 32, 64)
    flash.writeblocks(1, b"\x3c" * 32, 64)
    assert _read(flash, 1, 33, 64) == b"\x30" * 32 + b"\xff"
    assert _read(flash, 0) == b"\xff" * 32
    flash.ioctl(6, 1)
    assert _read(flash, 1, 32, 64) == b"\xff" * 32
    assert flash.wear == [0, 1, 0, 0] and flash.erased == 4096
    assert flash.programmed == 64 and flash.operations == 3
    assert (flash.ioctl(4, 0), flash.ioctl(5, 0)) == (4, 4096)
    assert flash.busy_us == 45_800


def test_a_program_off_its_grid_or_over_the_block_is_refused():
    flash = _flash(program_size=256)
    for size, offset in ((32, 0), (256, 32), (512, 3840)):
        try:
            flash.writeblocks(0, bytes(size), offset)
            raise AssertionError((size, offset))
        except ValueError as error:
            assert "program of %d bytes at %d" % (size, offset) in str(error)


def _torn(form, erase, seed=1):
    flash = _flash(cut_at=2, form=form, seed=seed)
    flash.writeblocks(2, b"\x0f" * 64)
    try:
        if erase:
            flash.ioctl(6, 2)
        else:
            flash.writeblocks(2, b"\x55" * 64)
        raise AssertionError("no cut")
    except PowerCut:
        pass
    before = bytes(flash.data)
    flash.writeblocks(0, bytes(32))
    flash.ioctl(6, 2)
    assert bytes(flash.data) == before and flash.dead
    assert bytes(flash.data[: 2 * 4096]) == b"\xff" * 8192
    return bytes(flash.data[2 * 4096 :])


def test_a_torn_operation_leaves_three_forms_and_then_nothing_changes():
    assert _torn("clean", False)[:65] == b"\x0f" * 64 + b"\xff"
    assert _torn("clean", True)[:65] == b"\x0f" * 64 + b"\xff"
    assert _torn("half", False)[:65] == b"\x05" * 32 + b"\x0f" * 32 + b"\xff"
    assert _torn("half", True)[:65] == b"\xff" * 65
    program = _torn("random", False)
    erase = _torn("random", True)
    # Only bits that the operation would have changed differ from before.
    assert all(value & 0x05 == 0x05 and not value & 0xF0 for value in program[:64])
    assert all(value & 0x0F == 0x0F for value in erase[:64])
    assert len(set(program[:64])) > 2 and len(set(erase[:64])) > 4
    assert program[64:] == b"\xff" * (len(program) - 64)


def test_the_same_seed_gives_the_same_bits_on_every_runtime():
    assert _torn("random", True, 7) == _torn("random", True, 7)
    assert _torn("random", True, 7) != _torn("random", True, 8)
    assert _torn("random", True, 7)[:4] == b"\xdf\xdf\xff\x7f"


def test_stuck_bits_stay():
    flash = _flash()
    flash.stuck[5] = (0x81, 0x80)  # bit 7 never clears, bit 0 never sets
    flash.writeblocks(0, bytes(32))
    assert _read(flash)[4:7] == b"\x00\x80\x00"
    flash.ioctl(6, 0)
    assert _read(flash)[4:7] == b"\xff\xfe\xff"


def test_an_operation_may_claim_success_and_do_nothing():
    flash = _flash()
    flash.silent_at = 1
    flash.writeblocks(0, bytes(32))
    assert _read(flash) == b"\xff" * 32
    flash.writeblocks(0, bytes(32))
    flash.silent_at = 3
    flash.ioctl(6, 0)
    assert _read(flash) == bytes(32)


def test_errors_of_the_device_reach_the_caller_and_change_nothing():
    flash = _flash()
    flash.fail_at = 1
    assert _raised(flash.writeblocks, 0, bytes(32)) == EIO
    assert _raised(flash.writeblocks, 0, bytes(32)) == 0
    flash.bad.add(1)
    assert _raised(flash.ioctl, 6, 1) == EIO and _raised(flash.ioctl, 6, 2) == 0
    flash.unreadable.add(3)
    assert _raised(_read, flash, 3) == EIO and _raised(_read, flash, 2) == 0
    flash.fail_from = flash.operations + 1
    for _ in range(3):
        assert _raised(flash.ioctl, 6, 0) == EIO
    assert _read(flash) == bytes(32)


def test_many_reads_of_a_block_disturb_it_and_an_erase_begins_anew():
    flash = _flash()
    flash.disturb_every = 10
    for _ in range(9):
        _read(flash)
    assert bytes(flash.data) == b"\xff" * len(flash.data)
    _read(flash)
    flipped = [value for value in flash.data if value != 0xFF]
    assert len(flipped) == 1 and flash.data[4096:] == b"\xff" * 12288
    flash.ioctl(6, 0)
    for _ in range(9):
        _read(flash)
    assert bytes(flash.data) == b"\xff" * len(flash.data)


def test_who_watches_sees_each_operation_before_it_is_done():
    flash = _flash()
    seen = []
    flash.watch = lambda device, at, source: seen.append((at, source, device.data[4096]))
    busy = []
    flash.busy = busy.append
    flash.writeblocks(1, bytes(32))
    flash.ioctl(6, 1)
    assert seen == [(4096, bytes(32), 0xFF), (4096, None, 0)]
    assert busy == [400, 45_000]


def test_the_real_littlefs_lives_on_it():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    for program_size in (32, 256):
        flash = _flash(16, program_size=program_size)
        os.VfsLfs2.mkfs(flash, progsize=program_size)
        os.mount(os.VfsLfs2(flash, progsize=program_size), "/nor")
        for i in range(20):
            with open("/nor/file", "wb") as file:
                file.write(b"%d" % i * 2000)
        with open("/nor/file", "rb") as file:
            assert file.read() == b"19" * 2000
        os.umount("/nor")
        assert sum(flash.wear) >= 20 and max(flash.wear) < 20
        os.VfsLfs2(flash, progsize=program_size)  # what it left can be mounted again
    assert FORMS == ("clean", "half", "random")
