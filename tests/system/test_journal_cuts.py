"""Power cuts in the journal on a real littlefs on a simulated NOR flash: a sample of them."""

import os

from agent.journal import Journal
from agent.record import EVENT, LOST, check_record
from agent.store import Files
from tests.fakes.nor_flash import FORMS, NorFlash, PowerCut
from tests.skips import skip

_BLOCKS = 24
_SEGMENTS = 6
_OUT = bytearray(4096)


class _Model:
    """What the outside world knows: everything it has read, and what it acknowledged."""

    def __init__(self):
        self.seen = {}
        self.acked = 0


def _payload(seq, life):
    size = 2 if seq % 8 > 3 else 20 + seq * 7 % 60  # small ones take the delta slot
    return (b"%d/%d." % (seq, life)) * size


def _live(flash, model, life, rounds):
    """One life of a gateway: start, check what is there, append, sync, read, acknowledge."""
    filesystem = os.VfsLfs2(flash)
    os.mount(filesystem, "/cuts")
    try:
        journal = Journal(Files("/cuts/j"), lambda: 7, _SEGMENTS * 4096)
        journal.start()
        assert not journal.degraded and journal.acked <= model.acked
        _read(journal, model)
        for step in range(rounds):
            for _ in range(1 + step % 4):
                data = _payload(journal.next, life)
                journal.append(EVENT, data, 0, len(data))
            if step % 3 == 2:
                journal.save_open(step, [(1, data, 0, 40)])
            else:
                journal.sync()
            _read(journal, model)
            if step % 5 == 4 and life != 1:
                model.acked = max(model.acked, journal.durable - 3)
                journal.trim_through(7, model.acked)
            journal.housekeep(0, True)
    finally:
        os.umount("/cuts")


def _read(journal, model):
    """Read all: a number once seen has its content for ever, or is declared when full."""
    seq = model.acked + 1
    highest = max(model.seen) if model.seen else 0
    while True:
        found, length = journal.read_from(seq, _OUT)
        if not length:
            break
        assert found >= seq
        kind, _, _, start, end = check_record(_OUT, 0, length)
        if kind == LOST:
            assert b'"full"' in bytes(_OUT[start:end]), (seq, bytes(_OUT[start:end]))
        else:
            assert found == seq, (found, seq)
            data = bytes(_OUT[start:end])
            assert model.seen.setdefault(seq, data) == data, seq
        seq = found + 1
    assert seq > highest, (seq, highest)


def run_cut(data, cut_at, form, rounds=24):
    """Cut the first life at one operation, live again; return whether the cut was reached."""
    for i in range(len(data)):
        data[i] = 0xFF
    os.VfsLfs2.mkfs(NorFlash(data))
    model = _Model()
    reached = False
    try:
        _live(NorFlash(data, cut_at, form, cut_at), model, 0, rounds)
    except PowerCut:
        reached = True
    _live(NorFlash(data), model, 1, 4)
    return reached


def test_a_cut_anywhere_loses_nothing_that_was_read_and_reuses_no_number():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    data = bytearray(_BLOCKS * 4096)
    cuts = 0
    for cut_at in range(1, 400, 13):
        cuts += run_cut(data, cut_at, FORMS[cut_at % 3])
    assert cuts > 20, cuts
