"""A purge, proved on the image of the flash: byte by byte nothing of what was sent is left.

The whole App on the real littlefs, in the geometries of both chips, and on the raw ring.
"""

import pytest

from agent.mac import Mac
from agent.record import EVENT
from agent.ring import Ring
from tests.fakes.littlefs_host import files_on, format_littlefs
from tests.fakes.nor_flash import NorFlash
from tests.system.test_hostile_broker import ACK, CMD, KEY, _command, _World

_BLOCKS = 96
_MARK = b"load curve of "


def _flash(program_size, blocks=_BLOCKS):
    return NorFlash(bytearray(b"\xff" * (blocks * 4096)), program_size=program_size)


def _files(program_size):
    flash = _flash(program_size)
    format_littlefs(flash)
    ground = files_on(flash, "/j", small=128 if program_size == 32 else 512)
    return [flash], (ground, type(ground)("/s", remount=ground.remount))


def _ring(program_size):
    raw, flash = _flash(program_size), _flash(program_size, 32)
    format_littlefs(flash)
    return [raw, flash], (Ring(raw, program_size), files_on(flash, "/s"))


def _left(flashes):
    return sum(bytes(flash.data).count(_MARK) for flash in flashes)


def _state(world):
    assert world.app.purge
    return world.app.purge.state


def _pieces(world):
    assert world.app.purge
    return world.app.purge.pieces


def _acknowledge(world):
    body = (1).to_bytes(4, "big") + (world.app.journal.durable).to_bytes(4, "big")
    world.say(ACK, body + Mac(KEY).tag(b"ackgw", body))


def _read_for_days(world):
    """Records of every size: in the delta's entry of the directory, in slots, in segments."""
    for number in range(220):
        text = _MARK + b"house %d " % number + b"." * (number * 37 % 700)
        world.app.journal.append(EVENT, text, 0, len(text))
        world.app.journal.sync()
        if number % 20 == 0:
            world.app.journal.housekeep(0, True)


@pytest.mark.parametrize("make", [_files, _ring])
@pytest.mark.parametrize("program_size", [32, 256])
def test_nothing_of_what_was_sent_is_left_on_the_flash(make, program_size):
    flashes, grounds = make(program_size)
    world = _World(grounds=grounds)
    _read_for_days(world)
    assert _left(flashes) > 200
    _acknowledge(world)
    world.live(20000)
    assert world.app.journal.acked >= 220
    assert _left(flashes) > 50, "without a purge the flash still knows"

    answer = world.say(CMD, _command(1, "purge", {}))[0]
    assert answer["ok"], answer
    for _ in range(60):
        world.live(2000)
        _acknowledge(world)
    assert _state(world) == "" and _pieces(world) > 20
    assert _left(flashes) == 0
    assert b'"purged"' in b"".join(bytes(flash.data) for flash in flashes)

    # The journal goes on, and a restart finds its numbers.
    journal = world.app.journal
    before, acked = journal.next, journal.acked
    journal.append(EVENT, b"{}", 0, 2)
    journal.sync()
    again = _World(grounds=grounds).app.journal
    assert again.acked == acked and again.next > before and not again.degraded


def test_a_purge_waits_for_what_was_not_acknowledged():
    flashes, grounds = _files(32)
    world = _World(grounds=grounds)
    _read_for_days(world)
    assert world.say(CMD, _command(1, "purge", {}))[0]["result"]["waits_for"] >= 220
    world.live(30000)
    assert _state(world) == "waits for acknowledgements"
    assert world.app.journal.acked == 0 and _left(flashes) > 200  # nothing is lost by it


def test_a_power_cut_in_the_middle_leaves_the_journal_its_room():
    flashes, grounds = _files(32)
    world = _World(grounds=grounds)
    _read_for_days(world)
    _acknowledge(world)
    world.say(CMD, _command(1, "purge", {}))
    for _ in range(100):
        if _pieces(world) > 12:
            break
        world.live(200)
        _acknowledge(world)
    assert _pieces(world) > 12 and _state(world)
    flash = NorFlash(bytearray(flashes[0].data), program_size=32)
    ground = files_on(flash, "/j")
    state = type(ground)("/s", remount=ground.remount)
    again = _World(grounds=(ground, state))
    assert again.app.journal.next >= 220
    assert ground.free_segments() > _BLOCKS - 30, "the files of zeros are gone"


def test_a_flash_that_fails_is_said_and_the_meters_go_on(mocker):
    _, grounds = _files(32)
    world = _World(grounds=grounds)
    mocker.patch.object(type(grounds[0]), "scrub", side_effect=OSError(5, "EIO"))
    world.say(CMD, _command(1, "purge", {}))
    for _ in range(10):
        world.live(1000)
        _acknowledge(world)
    assert _state(world).startswith("failed")
