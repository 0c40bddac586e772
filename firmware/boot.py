"""Choose the firmware, count its trials, run it; else safe mode. Never updated over the air.

/a, /b   a slot: one file, the signed bundle as it came (agent/BUNDLE.md)
/slot    active, trial, tries, fails, spent, a note for people; then a CRC-32 of that line:
         "b - 0 0 0 rolled back from a: ImportError: no module named 'agent.app'\\n0badcafe"

| active | trial | tries | what happens |
| --- | --- | --- | --- |
| a | - | - | a runs |
| a | b | > 0 | tries - 1 is written first, then b runs |
| a | b | 0, or b is not whole | the trial is cleared, a runs, the note says "rolled back from b" |
| a: failed 3 times or is not whole | - | - | b runs, if it is whole |
| - | | | what is frozen into the image runs; failed 3 times: a, then b; a trial is as above |
| neither | | | what is frozen into the image runs, else safe mode; with /repair, on the network |
| unreadable | | | the whole slot with the highest counter runs, the note says so |
| absent, and both slots | | | as - |

Whatever the flash holds, one of these follows, and the journal is never touched. A slot is whole
when its size and the SHA-256 of its content are those of its head.

/repair        a bundle that fetches a firmware and does nothing else (firmware/repair.py), if any
/maintenance   minutes: one start that runs nothing, so that a computer can talk to the board:
               no watchdog, and the board starts by itself when they are over
"""

import gc
import os
import sys
from binascii import crc32
from errno import ENOENT
from hashlib import sha256
from struct import unpack_from

TRIES = 3  # starts of a trial; failures after which a confirmed slot is left
MOUNT = "/app"
_NO_TRIAL = "-"
FROZEN = "-"  # as active: what is frozen into the image
_HEAD = 960
_MAGIC = b"eclor\x00\x00\x01"
_NOTE_CHARS = 200
_SAFE_S = 3600  # then everything is tried once more: nobody may come for years
_SAY_S = 10
_ABSENT = "is absent"
_GARBAGE_BYTES = 8192  # collected that often while the firmware loads
_WATCHDOG_MS = 8000  # the RP2040 has at most 8388
_MAINTENANCE_MIN = 30
_MAINTENANCE_MAX = 60


class Chip:
    """What this file wants of a board; host_start.py gives another one."""

    root = ""
    rest = None
    _watchdog = None
    _lamp = None

    def arm(self):
        """Start the watchdog: from here on a hang ends with a reset."""
        from machine import WDT

        self._watchdog = WDT(timeout=_WATCHDOG_MS)

    def reset(self):
        """Start again; does not return."""
        from machine import reset

        reset()

    def reset_in(self, minutes):
        """Start again by itself then; a soft reset forgets it."""
        from machine import Timer, reset

        timer = Timer(0 if sys.platform == "esp32" else -1)
        timer.init(mode=Timer.ONE_SHOT, period=minutes * 60000, callback=lambda _: reset())

    def shine(self, on):
        """Switch the LED whose pin main.py has left in /led; without one do nothing."""
        try:
            if self._lamp is None:
                from machine import Pin

                with open(self.root + "/led") as file:
                    name = file.read(20)
                self._lamp = Pin(int(name) if name.isdigit() else name, Pin.OUT)
            self._lamp.value(on)
        except (ValueError, OSError):
            pass

    def sleep_s(self):
        """Wait a second; it is no hang."""
        import time

        if self._watchdog:
            self._watchdog.feed()
        time.sleep(1)


class Slot:
    """A slot as a file system to import from: each file is a line "path size offset" in it."""

    def __init__(self, path):
        self._path = path
        with open(path, "rb") as file:
            listing, self._size = unpack_from(">I68xI", file.read(_HEAD), 12)
        self._content = _HEAD + listing
        self._held = self._read()

    def _read(self):
        with open(self._path, "rb") as file:
            file.seek(_HEAD)
            return b"\n" + file.read(self._size)

    def rest(self):
        """Let the lines go, 6 KB of RAM: who imports something from now on reads them again."""
        self._held = b""

    @property
    def _names(self):
        return self._held or self._read()

    def mount(self, readonly, mkfs):
        """Nothing to do."""

    def umount(self):
        """Nothing to do."""

    def stat(self, path):
        """Say whether this is a file or a directory. Raises OSError for neither."""
        name = b"\n" + path[1:].encode()
        names = self._names
        if name + b" " in names:
            return (0x8000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if name + b"/" in names or path == "/":
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        raise OSError(2)

    def open(self, path, mode):
        """Return the slot's own file, standing where the content begins: an import reads no more.

        Raises OSError when there is no such file.
        """
        name = b"\n" + path[1:].encode() + b" "
        names = self._names
        at = names.find(name)
        if at < 0:
            raise OSError(2)
        line = names[at + len(name) : names.find(b"\n", at + 1)]
        file = open(self._path, "rb")
        file.seek(self._content + int(line.split(b" ")[1]))
        return file


def read_state(root):
    """Return [active, trial, tries, fails, spent, note] of /slot; None when it is unreadable."""
    try:
        with open(root + "/slot", "rb") as file:
            line, _, crc = file.read(400).partition(b"\n")
        if crc != b"%08x" % (crc32(line) & 0xFFFFFFFF):
            return None
        active, trial, tries, fails, spent, note = str(line, "utf-8").split(" ", 5)
        counts = [int(tries), int(fails), int(spent)]
    except (OSError, ValueError):
        return None
    known = active in ("a", "b", FROZEN) and trial in ("a", "b", _NO_TRIAL)
    return [active, trial] + counts + [note] if known and min(counts) >= 0 else None


def write_state(root, state):
    """Replace /slot as a whole, which littlefs does in one commit; tell whether that worked."""
    note = "".join([c if " " <= c <= "~" else "?" for c in state[5][:_NOTE_CHARS]])
    line = ("%s %s %d %d %d " % tuple(state[:5]) + note).encode()
    try:
        with open(root + "/slot", "wb") as file:
            file.write(line + b"\n%08x" % (crc32(line) & 0xFFFFFFFF))
    except OSError:
        return False
    return True


def inspect(root, slot):
    """Return (counter, "") of a whole slot, (-1, why it is not whole) of any other."""
    piece = bytearray(1024)
    view = memoryview(piece)
    found = sha256()
    try:
        with open(root + "/" + slot, "rb") as file:
            head = file.read(_HEAD)
            if len(head) < _HEAD or head[:8] != _MAGIC:
                return -1, "is no firmware"
            counter, listing, content = unpack_from(">III", head, 8)
            left = listing + content
            while left:
                count = file.readinto(view[: min(left, 1024)])
                if not count:
                    return -1, "is %d bytes short" % left
                found.update(view[:count])
                left -= count
    except OSError as error:
        return -1, _ABSENT if error.errno == ENOENT else "cannot be read (%s)" % error
    return (counter, "") if found.digest() == head[52:84] else (-1, "is damaged")


def choose(root):
    """Return (slot, state, wrong): what to run, "" for neither; wrong: texts for people."""
    wrong: list = []
    state = read_state(root)
    if state is None:
        a, b = inspect(root, "a"), inspect(root, "b")
        newest = "b" if b[0] > a[0] else "a"
        state = [newest, _NO_TRIAL, 0, 0, 0, "/slot was unreadable or absent"]
        if a == b == (-1, _ABSENT):  # the firmware is frozen in, and has never had another
            state[0], state[5] = FROZEN, ""
    active, trial, tries, fails, _, note = state
    if trial != _NO_TRIAL:
        why = inspect(root, trial)[1] if tries else note or "no tries left"
        state[2] = tries - 1
        if not why and write_state(root, state):
            return trial, state, wrong
        why = "rolled back from %s: %s" % (trial, why or "its tries cannot be counted")
        state = [active, _NO_TRIAL, 0, fails, 0, why]
        write_state(root, state)
    limit = 0
    for slot in (active, "b" if active == "a" else "a", "b")[: 3 if active == FROZEN else 2]:
        limit += TRIES
        why = "failed: " + state[5]
        if fails < limit:
            why = "" if slot == FROZEN else inspect(root, slot)[1]
        if not why:
            if wrong:
                state[5] = wrong[0]
            return "" if slot == FROZEN else slot, state, wrong
        wrong.append("%s %s" % ("what is frozen" if slot == FROZEN else "slot " + slot, why))
    return "", state, wrong


def safe_mode(board, state, wrong):
    """Say what is wrong for an hour, then try again. Ctrl-C gives the prompt to a technician."""
    for second in range(_SAFE_S):
        if second % _SAY_S == 0:
            print("Eclor gateway in SAFE MODE: no firmware can run. Its readings are kept.")
            for text in wrong:
                print("  " + text)
            print("  To repair it: eclor deploy, or Ctrl-C for a prompt.")
        board.shine(1 - second % 2)  # agent/lamp.py: it waits for a person with a cable
        board.sleep_s()
    state[3] = 0
    write_state(board.root, state)
    board.reset()


def repair(board, wrong):
    """Run what /repair holds, which ends with a restart; return why it could not."""
    why = inspect(board.root, "repair")[1]
    if not why:
        import vfs

        board.arm()
        vfs.mount(Slot(board.root + "/repair"), MOUNT)
        sys.path.insert(0, MOUNT)
        try:
            from firmware import repair as fetcher

            why = fetcher.start(board, wrong, inspect)
        except Exception as error:
            getattr(sys, "print_exception", print)(error)
            why = "%s: %s" % (type(error).__name__, error)
    return "no repair over the network: /repair " + why


def maintenance_min(root):
    """Return the minutes for which nothing shall run, 0: none; whoever asks again gets none."""
    try:
        with open(root + "/maintenance", "rb") as file:
            text = file.read(9)
        os.remove(root + "/maintenance")
    except OSError:
        return 0
    minutes = int(text) if text.isdigit() else 0
    return min(minutes or _MAINTENANCE_MIN, _MAINTENANCE_MAX)


def maintain(minutes=_MAINTENANCE_MIN, board=None):
    """Start again without firmware and watchdog; called by a technician's computer."""
    board = board or Chip()
    with open(board.root + "/maintenance", "wb") as file:
        file.write(b"%d" % minutes)
    board.reset()


def mount(board=None, minutes=_MAINTENANCE_MIN):
    """Let a whole slot's modules be imported, run nothing; return the slot, "" for none.

    Called by a technician's computer after its soft reset, which has ended the timer.
    """
    board = board or Chip()
    board.reset_in(minutes)
    state = read_state(board.root)
    for slot in (state[0] if state else "a", "a", "b"):
        if not inspect(board.root, slot)[1]:
            import vfs

            vfs.mount(Slot(board.root + "/" + slot), MOUNT)
            sys.path.insert(0, MOUNT)
            return slot
    return ""


def start(board=None):
    """Run what choose() finds; return only for maintenance. A Ctrl-C ends at the prompt."""
    board = board or Chip()
    minutes = maintenance_min(board.root)
    if minutes:
        board.reset_in(minutes)
        print("maintenance: nothing runs; this board starts by itself in %d min" % minutes)
        return
    slot, state, wrong = choose(board.root)
    fails = 1
    is_there = False
    try:
        if slot:
            import vfs

            board.arm()
            mounted = Slot(board.root + "/" + slot)
            vfs.mount(mounted, MOUNT)
            sys.path.insert(0, MOUNT)
            board.rest = mounted.rest  # for main.py, once all is loaded
        gc.threshold(_GARBAGE_BYTES)  # so that what stays lies together
        from firmware import main

        is_there = True
        main.start(board, slot, state)
        why, fails = "ended by itself", 2 * TRIES
    except Exception as error:
        getattr(sys, "print_exception", print)(error)
        why = "%s: %s" % (type(error).__name__, error)
    state[5] = why
    if slot != state[1]:  # a trial's starts are counted beforehand
        state[3] += fails
    wrong.append(why)
    may_again = slot or (is_there and state[3] <= 3 * TRIES)  # without a slot nothing else is left
    if may_again and write_state(board.root, state):
        board.reset()
    else:
        if not slot:
            wrong.append(repair(board, wrong))
        safe_mode(board, state, wrong)
