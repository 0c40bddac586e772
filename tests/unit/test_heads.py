"""agent/heads.py and agent/pages.py on a simulated flash: what a start reads of a block."""

# A whole flash:
# heap: 1m

from agent.heads import Heads
from agent.pages import Pages
from agent.ring import Ring
from tests.fakes.nor_flash import NorFlash

_BLOCKS = 12
_OUT = bytearray(4096)


def _flash(data=None):
    return NorFlash(bytearray(b"\xff" * (_BLOCKS * 4096)) if data is None else data)


def _ring(flash):
    ring = Ring(flash)
    ring.open()
    return ring


def _rot(flash, block, at):
    """Let the head at that offset of a block rot."""
    flash.data[block * 4096 + at + 17] ^= 0x10


def test_a_segment_that_fills_its_block_is_found_by_the_foot_in_its_last_bytes():
    flash = _flash()
    _ring(flash).write_segment(7, b"x" * 4032, 0, 4032)
    _rot(flash, 0, 0)
    again = _ring(flash)
    assert again.segments() == [7]
    assert again.read_segment(7, _OUT) == 4032 and bytes(_OUT[:4032]) == b"x" * 4032


def test_content_that_looks_erased_hides_no_foot_behind_it():
    flash = _flash()
    _ring(flash).write_segment(7, b"\xff" * 1500, 0, 1500)
    _rot(flash, 0, 0)
    again = _ring(flash)
    assert again.segments() == [7]
    assert again.read_segment(7, _OUT) == 1500 and bytes(_OUT[:1500]) == b"\xff" * 1500


def test_a_start_reads_one_head_of_a_block_and_of_the_slots_what_is_written():
    flash = _flash()
    ring = _ring(flash)
    for number in (1, 2, 3):
        ring.write_segment(number, b"x" * 4000, 0, 4000)
    before = flash.reads
    ring.open()
    assert flash.reads - before == _BLOCKS
    ring.begin("mark", 5)
    ring.put(b"saved", 0, 5)
    ring.commit()
    before = flash.reads
    ring.open()
    # Its head once more; 160 bytes after its 96, 32 by 32; then 15 pieces of 256, all erased.
    assert flash.reads - before == _BLOCKS + 1 + 5 + 15


def test_a_page_that_failed_is_known_by_its_block():
    flash = _flash()
    pages = Pages(flash, 32)
    assert pages.failed == -1
    flash.stuck[3 * 4096 + 40] = (0xFF, 0x55)
    pages.go_to(3, 32)
    pages.put(b"x" * 20, 0, 20)
    try:
        pages.flush()
    except OSError:
        assert pages.failed == 3
    else:
        raise AssertionError("it held something else")


def test_a_head_is_found_at_the_first_byte_or_by_its_copy():
    flash = _flash()
    heads = Heads(flash, 32)
    ring = _ring(flash)
    ring.write_segment(9, b"x" * 100, 0, 100)
    before = flash.reads
    assert heads.look(0) == 32 and flash.reads - before == 1
    assert heads.fields()[5:7] == (9, 100)
    assert heads.look(1) == 0
