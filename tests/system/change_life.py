"""One start of a gateway whose settings are being changed, and what it must never find.

The device's own modules over one flash: on MicroPython the real ones, on CPython fresh ones that
see littlefs' C code (tests/fakes/littlefs_host.py). Not here: what is changed (change_stories.py)
and where power goes (change_worlds.py).
"""

import json
import os

from agent.journal import Journal
from agent.record import EVENT, BadRecord, check_record
from tests.system.journal_day import JOURNAL_ID
from tests.system.tally import Violation

_MODULES = (
    "firmware/boot.py",
    "agent/slots.py",
    "agent/settings.py",
    "agent/store.py",
    "firmware/provision.py",
)
_OUT = bytearray(4096)


class Modules:
    """The device's modules that see one flash; root: where it is mounted."""

    _mounted = 0

    def __init__(self, flash):
        self.root = ""
        if hasattr(os, "VfsLfs2"):
            Modules._mounted += 1  # no name twice
            self.root = "/c%d" % Modules._mounted
            os.mount(os.VfsLfs2(flash, progsize=flash.program_size), self.root)
            from agent import settings, slots, store
            from firmware import boot, provision

            made = [boot, slots, settings, store, provision]
        else:
            from tests.fakes.littlefs_host import modules_on

            made = modules_on(flash, *_MODULES)
        self.boot, self.slots, self.settings, self.store, self.provision = made
        self.provision.entropy = bytes

    def files(self, folder):
        return self.store.Files(self.root + folder)

    def open(self, path, mode):
        return getattr(self.store, "open", open)(self.root + path, mode)

    def ask(self, call, *args):
        """Return what provision.py answers. A life within this one asks the same module."""
        lines: list = []
        usual = getattr(self.provision, "print", print)
        self.provision.print = lines.append
        try:
            call(*args, root=self.root)
        finally:
            self.provision.print = usual
        return json.loads(lines[0])

    def close(self):
        if self.root:
            os.umount(self.root)


class Life:
    """One start on a flash and what is known of it: `told` outlives it, for the story goes on.

    told: {"promised": the journal's highest durable number, a small file's name: [values]}
    """

    def __init__(self, flash, told, trees):
        self.told = told
        self.modules = Modules(flash)
        self.root = self.modules.root
        self.trees = trees  # label: (whole tree, {path: content} of its certificates)
        self.notes: list = []
        self.config = {"uplink": {"tls": True}}
        self.identity = {"gateway": "gw", "board": "host"}

    def note_event(self, what, why):
        """Append a record; what is known to be durable is promised."""
        self.notes.append(what)
        journal = self.journal
        text = b"%d." % journal.next * 12
        journal.append(EVENT, text, 0, len(text))
        journal.sync()
        self.told["promised"] = max(self.told["promised"], journal.durable)

    def start(self):
        """Start as main.py does; raise Violation for what must never be found."""
        boot = self.modules.boot
        self.minutes = boot.maintenance_min(self.root)
        slot, self.state, wrong = boot.choose(self.root)
        if slot != "a" or wrong:
            raise Violation("unbootable", "%s %s" % (slot, wrong))
        self.journal = Journal(self.modules.files("/journal"), lambda: JOURNAL_ID, 16384)
        self.journal.start()
        self._check_journal()
        self.settings = self.modules.settings.Settings(self.root)
        tree = self.settings.choose()
        if tree is None:
            raise Violation("unbootable", self.settings.why)
        self.label = tree.get("site", "")[:3]
        wanted, files = self.trees.get(self.label, (None, {}))
        if tree != wanted:
            raise Violation("mixed", "%s" % tree)
        for path, content in files.items():
            if self.read("/" + path) != content:
                raise Violation("mixed", "%s of %s" % (path, self.label))
        self.ground = self.modules.files("/state")
        self.ground.open()
        self.note_event("boot", "")

    def read(self, path):
        """Return a file's content, None when it is absent."""
        try:
            with self.modules.open(path, "rb") as file:
                return file.read()
        except OSError:
            return None

    def _check_journal(self):
        journal = self.journal
        if journal.degraded or journal.durable < self.told["promised"]:
            raise Violation("lost", "%d of %d" % (journal.durable, self.told["promised"]))
        for seq in range(1, journal.durable + 1):
            found, length = journal.read_from(seq, _OUT)
            try:
                _, _, _, start, end = check_record(_OUT, 0, length)
            except BadRecord as error:
                raise Violation("lost", "%d: %s" % (seq, error))
            if found != seq or bytes(_OUT[start:end]) != b"%d." % seq * 12:
                raise Violation("lost", "%d: %s" % (seq, bytes(_OUT[start:end])))
