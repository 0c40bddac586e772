"""The bytes of a journal on both of its grounds stay what they are: flash outlives firmware.

A scripted life of appends, saves, acknowledgements, power cuts and failing flash; a digest of what
the flash holds and of what the journal says, at every step. To change a format on purpose: a new
version byte, an old image that is still read, and new digests. A mere change of policy (when a
segment is written, what is erased first) changes them too, and shows that it reached the flash.
"""

# A simulated flash beside the journal:
# heap: 1m

import json
import sys
from hashlib import sha256

from agent.journal import Journal
from agent.record import BLOCK, EVENT, LOST, check_record
from agent.ring import Ring
from tests.fakes.memory_ground import MemoryGround
from tests.fakes.nor_flash import Noise, NorFlash

_OUT = bytearray(4200)


class Life:
    """A journal, the seed of what happens to it, and the digest of all that was seen."""

    def __init__(self, seed, segments):
        self.noise = Noise(seed)
        self.mark = sha256()
        self.segments = segments
        self.now_ms = 0
        self.held = {}  # durable and not acknowledged: number to payload
        self.fresh = {}

    def begin(self, ground):
        self.ground = ground
        self.journal = Journal(ground, lambda: 0x1234ABCD, self.segments * ground.segment_size)
        found = self.journal.start()
        self.see(repr([found.first, found.next, found.alive_ms, found.torn, found.opens]))
        self.fresh = {}

    def see(self, text):
        journal = self.journal
        numbers = (journal.first, journal.next, journal.acked, journal.durable)
        numbers += (journal.fill_permille, journal.errors, len(journal.segments), journal.taken)
        self.mark.update(("%s %s %s " % (text, numbers, journal.degraded)).encode())
        self.mark.update(self.image())

    def note_durable(self):
        for seq in list(self.fresh):
            if seq <= self.journal.durable:
                self.held[seq] = self.fresh.pop(seq)

    def do(self):
        """One step; what it is hangs on the seed."""
        journal, noise = self.journal, self.noise
        self.now_ms += 1000 * (1 + noise.below(20))
        turn = noise.below(12)
        if turn < 6:
            kind = BLOCK if turn < 4 else EVENT
            data = noise.take((7 + noise.below(90)) * (1 + 24 * (turn == 3)))
            self.fresh[journal.append(kind, data, 0, len(data))] = data
        elif turn < 8:
            journal.sync()
        elif turn == 8:
            parts = [(i, noise.take(20 + 30 * i), 0, 20 + 30 * i) for i in range(noise.below(4))]
            journal.save_open((1700000000000 + self.now_ms) * noise.below(2), parts)
        elif turn == 9 and journal.durable > journal.acked:
            seq = journal.first + noise.below(min(3, journal.durable - journal.acked))
            journal.trim_through(journal.journal_id, seq)
            self.held = {n: data for n, data in self.held.items() if n > seq}
        else:
            journal.housekeep(self.now_ms, turn == 10)
        self.note_durable()
        self.see("%d" % turn)

    def check(self):
        """What is durable comes back, or is declared."""
        journal = self.journal
        seq = journal.first
        lost = set()
        got = {}
        while True:
            found, length = journal.read_from(seq, _OUT)
            if not length:
                break
            kind, number, _, start, end = check_record(_OUT, 0, length)
            if kind == LOST:
                tree = json.loads(bytes(_OUT[start:end]))
                lost.update(range(tree["first"], tree["last"] + 1))
            else:
                got[number] = bytes(_OUT[start:end])
            self.mark.update(bytes(_OUT[:length]))
            seq = found + 1
        for number, data in self.held.items():
            assert got.get(number) == data or number in lost, number
        self.held = {number: data for number, data in self.held.items() if number not in lost}
        return len(lost)

    def ends_with(self, digest):
        """Compare, on CPython: MicroPython writes the JSON of a loss in another order."""
        if sys.implementation.name == "cpython":
            assert self.mark.hexdigest()[:16] == digest, self.mark.hexdigest()[:16]


class FilesLife(Life):
    def image(self):
        names = sorted(self.ground.files)
        texts = [self.ground.files[name] for name in names]
        texts += [self.ground.slots[name] for name in sorted(self.ground.slots)]
        return repr([names, sorted(self.ground.slots)]).encode() + b"".join(texts)

    def cut(self):
        self.begin(self.ground.cut())


class RingLife(Life):
    def image(self):
        return bytes(self.flash.data)

    def make(self, data):
        self.flash = NorFlash(data, program_size=32)
        ring = Ring(self.flash, 32)
        self.begin(ring)

    def cut(self):
        self.make(self.flash.data)


def test_a_life_on_files_leaves_the_same_bytes_and_loses_nothing_unsaid():
    life = FilesLife(5, 6)
    life.begin(MemoryGround())
    lost = 0
    for step in range(600):
        if step % 90 == 89:
            life.cut()
        if step % 70 == 60:
            life.ground.fail = 1 + step % 3
        life.do()
        if step % 20 == 0:
            life.ground.fail = 0
            lost += life.check()
    assert lost > 10, "the journal was full at times"
    life.ends_with("4978fd2054d571fe")


def test_a_life_on_a_ring_leaves_the_same_bytes_and_loses_nothing_unsaid():
    life = RingLife(6, 4)
    life.make(bytearray(b"\xff" * (16 * 4096)))
    lost = 0
    for step in range(600):
        if step % 90 == 89:
            life.cut()
        life.do()
        if step % 20 == 0:
            lost += life.check()
    assert lost > 10
    life.ends_with("8024b171d815d0ff")
