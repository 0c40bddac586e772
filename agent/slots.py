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
FROZEN = "-"  # as active: what is frozen into the image
_NOTE_CHARS = const(200)


class Pair:
    """Two versions of something, one of them in force, and the line that says which.

    root     of the file system, "" on a chip
    running  "a" or "b", "" when neither
    state    active, trial, tries, fails, spent, note
    """

    FILE = "/slot"
    TRIES = 3  # starts of a trial
    WHAT = "update"

    def __init__(self, root, running, state):
        self.root = root
        self.running = running
        self.state = state

    @property
    def target(self):
        """Where the next one goes."""
        return "b" if self.running == "a" else "a"

    @property
    def own(self):
        """What the line calls the one that runs."""
        return self.running or FROZEN

    @property
    def is_on_trial(self):
        """Tell whether what runs is on trial."""
        return self.running != "" and self.state[1] == self.running

    @property
    def is_newer(self):
        """Tell whether half of a newer one lies in the target: of a firmware only."""
        return False

    def write(self, state):
        """Replace the line, by littlefs in one commit. Raises OSError."""
        with open(self.root + self.FILE, "wb") as file:
            file.write(line_of(state))
        self.state = list(state)

    def delete(self, path):
        """Remove a file below the root; no error when it is gone already."""
        try:
            os.remove(self.root + path)
        except OSError:
            pass


class Slots(Pair):
    """One gateway's two slots; running is "" when the firmware is frozen into the image."""

    @property
    def is_newer(self):
        """Tell whether what lies in the target is newer than what runs: half of an update."""
        return self.counter(self.target) > self.counter(self.running)

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
        self.delete("/" + slot)

    def ask_maintenance(self, minutes):
        """Let the next start run nothing for so long (firmware/boot.py). Raises OSError."""
        with open(self.root + "/maintenance", "wb") as file:
            file.write(b"%d" % minutes)

    def free(self):
        """Return the free bytes of the file system."""
        found = os.statvfs(self.root or "/")
        return found[0] * found[3]


def leave_led(root, led):
    """Leave the LED's pin for safe mode, which boot.py shows; it is written once in a life."""
    try:
        with open(root + "/led", "rb") as file:
            if file.read() == led.encode():
                return
    except OSError:
        pass  # it was never left
    try:
        with open(root + "/led", "wb") as file:
            file.write(led.encode())
    except OSError:
        pass  # safe mode is dark then


def line_of(state):
    """Return the content of /slot or /settings: a line, then its CRC-32."""
    note = "".join([c if " " <= c <= "~" else "?" for c in state[5][:_NOTE_CHARS]])
    line = ("%s %s %d %d %d " % tuple(state[:5]) + note).encode()
    return line + b"\n%08x" % (crc32(line) & 0xFFFFFFFF)


def read_line(data):
    """Return [active, trial, tries, fails, spent, note]; None for what is no such line."""
    line, _, crc = data.partition(b"\n")
    if crc != b"%08x" % (crc32(line) & 0xFFFFFFFF):
        return None
    try:
        active, trial, tries, fails, spent, note = str(line, "utf-8").split(" ", 5)
        counts = [int(tries), int(fails), int(spent)]
    except ValueError:
        return None
    known = active in ("a", "b", FROZEN) and trial in ("a", "b", NO_TRIAL)
    known = known and (trial != active or active == FROZEN)
    return [active, trial] + counts + [note] if known and min(counts) >= 0 else None
