"""The firmware's slots as files, and /slot: what an update reads and writes (firmware/boot.py).

Not here: what is decided (agent/update.py, agent/trial.py). boot.py never comes over the air and
keeps a reader and a writer of /slot of its own; a test holds the two together.

    slots = Slots("/flash", "a", ["a", "-", 0, 0, 0, ""])
    slots.append(slots.target, data)
"""

import os
from binascii import crc32

from micropython import const

MAGIC = b"eclor\x00\x00\x01"
_HEAD = const(192)
NO_TRIAL = "-"
TRIES = const(3)
_NOTE_CHARS = const(200)


class Slots:
    """One gateway's two slots.

    root     of the file system, "" on a chip
    running  the slot that runs, "" when the firmware is frozen into the image
    state    boot.py's list: active, trial, tries, fails, spent, note
    """

    def __init__(self, root, running, state):
        self.root = root
        self.running = running
        self.target = "b" if running == "a" else "a"  # where the next firmware goes
        self.state = state

    @property
    def is_on_trial(self):
        """Tell whether what runs is on trial."""
        return self.running != "" and self.state[1] == self.running

    def write(self, state):
        """Replace /slot, by littlefs in one commit. Raises OSError."""
        note = "".join([c if " " <= c <= "~" else "?" for c in state[5][:_NOTE_CHARS]])
        line = ("%s %s %d %d %d " % tuple(state[:5]) + note).encode()
        with open(self.root + "/slot", "wb") as file:
            file.write(line + b"\n%08x" % (crc32(line) & 0xFFFFFFFF))
        self.state = list(state)

    def size(self, slot):
        """Return the bytes of a slot, 0 when it is absent."""
        try:
            return os.stat(self.root + "/" + slot)[6]
        except OSError:
            return 0

    def read(self, slot, at, count):
        """Return bytes of a slot, fewer at its end. Raises OSError when it is absent."""
        with open(self.root + "/" + slot, "rb") as file:
            file.seek(at)
            return file.read(count)

    def lines(self, slot, at, first):
        """Yield the lines of a slot from the byte `at` on, without the first ones."""
        with open(self.root + "/" + slot, "rb") as file:
            file.seek(at)
            for _ in range(first):
                file.readline()
            while True:
                yield file.readline()

    def counter(self, slot):
        """Return the counter of a bundle, 0 when there is none; nothing of it is checked."""
        try:
            head = self.read(slot, 0, _HEAD)
        except OSError:
            return 0
        return int.from_bytes(head[8:12], "big") if head[:8] == MAGIC else 0

    def version(self):
        """Return the version that runs as its bundle says, "" when it runs from no bundle."""
        try:
            return str(self.read(self.running, 88, 24).rstrip(b"\0"), "utf-8")
        except (OSError, ValueError):
            return ""

    def append(self, slot, data):
        """Add bytes to a slot; durable on return. Raises OSError."""
        with open(self.root + "/" + slot, "ab") as file:
            file.write(data)

    def remove(self, slot):
        """Empty a slot."""
        try:
            os.remove(self.root + "/" + slot)
        except OSError:
            pass

    def free(self):
        """Return the free bytes of the file system."""
        found = os.statvfs(self.root or "/")
        return found[0] * found[3]
