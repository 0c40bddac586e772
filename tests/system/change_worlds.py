"""Power cuts at every flash operation of what changes a gateway's settings (change_stories.py).

Over the real littlefs (VfsLfs2 on MicroPython, its C code on CPython), with a journal beside it.

A power cut before each program and each erase is copied in three forms; a gateway starts on the
copy and is asked: boot.py finds its whole firmware, the configuration is the old or the new one
with its own secrets and its own certificates, each small file holds what it held or what it was
to hold, every promised record of the journal is there. Then, for one cut in so many, the change
is made again from there to its end, and in that life cuts are explored too (depth 2, sampled).

    tally = Tally()
    explore("cable-kept", 32, tally)
"""

import json
import os

from tests.fakes.bundles import make_bundle
from tests.fakes.nor_flash import FORMS, Noise, NorFlash, tear
from tests.system.change_life import Life, Modules
from tests.system.change_stories import POINT, STORIES
from tests.system.tally import Tally, Violation

BLOCKS = 24
_FIRMWARE = make_bundle(((b"agent/a.mpy", b"x" * 90),), 1)
_LIVES = 12


class Exploration:
    """One story's cuts: one operation in `every` from `phase` on; one in `deep` is lived on."""

    def __init__(self, name, program_size, tally, every=1, phase=0, deep=23, seed=1):
        self._make = STORIES[name]
        self._name = name
        self._size = program_size
        self._tally = tally
        self._every = every
        self._phase = phase
        self._deep = deep
        self._seed = seed
        self._copies = [bytearray(BLOCKS * 4096) for _ in range(2)]

    def run(self):
        """Live the story once undisturbed; every cut on the way is judged meanwhile."""
        flash, told = self._fresh()
        try:
            self._live(flash, told, 0)
        except (Violation, OSError, ValueError) as error:
            self._tally.note(error, self._name)
        self._tally.operations += flash.operations

    def _flash(self, data):
        return NorFlash(data, program_size=self._size)

    def _fresh(self):
        flash = self._flash(bytearray(b"\xff" * (BLOCKS * 4096)))
        if hasattr(os, "VfsLfs2"):
            os.VfsLfs2.mkfs(flash, progsize=self._size)
        else:
            from tests.fakes.littlefs_host import format_littlefs

            format_littlefs(flash)
        modules = Modules(flash)
        if not POINT:
            modules.ask(modules.provision.request, "gw", "00")
            POINT.append(modules.provision._own_key(modules.root)[1])
            modules.close()
            return self._fresh()
        slots = modules.slots.Slots(modules.root, "a", ["a", "-", 0, 0, 0, ""])
        slots.append("a", _FIRMWARE)
        slots.write(slots.state)
        story = self._make(modules)
        story.prepare(modules)
        self._trees = story.trees
        self._story = story
        modules.close()
        return flash, {"promised": 0}

    def _live(self, flash, told, depth):
        """Live the story to its end on that flash, checking each start; explore on the way."""
        story = self._make(None, self._story)
        for _ in range(_LIVES):
            life = Life(flash, told, self._trees)
            flash.watch = lambda *operation: self._watch(told, depth, *operation)
            try:
                life.start()
                story.check(life)
                is_over = story.go(life)
            finally:
                flash.watch = None
                life.modules.close()
            if is_over:
                return
        raise Violation("unbootable", "no end")

    def _watch(self, told, depth, flash, at, source):
        every = self._every if depth == 0 else self._every * self._deep
        if flash.operations % every != self._phase % every:
            return
        size = flash.block if source is None else len(source)
        for index, form in enumerate(FORMS):
            seed = self._seed * 1000003 + flash.operations * 4 + index
            data = self._copies[depth]
            data[:] = flash.data
            tear(data, at, source, size, form, Noise(seed))
            if depth:
                self._tally.deep += 1
            else:
                self._tally.cuts += 1
            where = "%s, depth %d, operation %d, %s" % (self._name, depth, flash.operations, form)
            try:
                self._judge(data, dict(told), depth, seed)
            except (Violation, OSError, ValueError) as error:
                self._tally.note(error, where)

    def _judge(self, data, told, depth, seed):
        if depth == 0 and seed % self._deep == 0:
            self._live(self._flash(data), told, 1)
            return
        life = Life(self._flash(data), told, self._trees)
        try:
            life.start()
            self._make(None, self._story).check(life)
        finally:
            life.modules.close()


def explore(name, program_size, tally, **options):
    """Explore a story; count into tally."""
    Exploration(name, program_size, tally, **options).run()


def report(name, seed, every, phase):
    """Print the counts of explore() as one line of JSON; name: "cable-kept/32"."""
    story, program_size = name.split("/")
    tally = Tally()
    explore(story, int(program_size), tally, every=every, phase=phase, seed=seed)
    counts = [tally.operations, tally.cuts, tally.deep, tally.troubles, tally.broken]
    counts.append(tally.first)
    print(json.dumps(counts))
