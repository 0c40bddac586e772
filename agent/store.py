"""The only module here that touches files: segments and small saves on a file system.

Not here: what the bytes mean (journal.py). A ground keeps two sorts of things:

segments  immutable byte strings of up to `segment_size`, named by the number of their first
          record: "0000002a". Written once, read often, removed whole.
slots     four small named contents that are replaced as a whole, again and again. The old or
          the new one survives a power cut, never a mixture: littlefs replaces a file's content
          at close ("any updates are atomic until sync or close", littlefs README, copy on
          write), so rewriting the existing file is the switch, at one metadata commit.

Every call may raise OSError; the journal decides what follows. Nothing is cached here.

    ground = Files("/flash/journal")
    ground.begin("mark", 20); ground.put(data, 0, 20); ground.commit()
"""

import os
from errno import EEXIST, EIO, ENOENT

from micropython import const

from agent import forget

SLOTS = ("base", "delta", "open", "mark")
_SEGMENTS = "segments"
_SEGMENT = _SEGMENTS + "/%08x"
_FILL = "~"  # begins the name of what fills the free space: scrub.py, and firmware before it
_BLOCK = const(4096)
_ENTRY = const(32)  # bytes of a commit beside the content
_LOG = const(2800)  # bytes of commits that a block of a directory takes between two copies
_DIRECTORY_ERASES = const(100)  # then littlefs moves it (block_cycles of MicroPython)
_ENOTDIR = const(20)  # absent from the unix port's errno, as the next
_ENOSPC = const(28)
_WRECKS: list = []  # files that must neither be closed nor collected, see Files._drop()
_WRECKS_MAX = const(12)  # of one Files; a flash that failed so often is not written any more


class Files:
    """Whole-segment files and slots in two directories of a littlefs.

    root          path of the slots' directory, made when absent; that of the segments is in it
    segment_size  bytes of one segment: one littlefs block, 4096, or what fits in two, 8188, which
                  halves the commits, for these cost 256 bytes each on RP2
    small         bytes that a slot may have to be stored inside its directory entry, without
                  an erase of its own: 128 on ESP32 (32-byte programs), 512 on RP2 (256)
    remount       callable() that mounts the file system anew after an OSError, or None
    program_size  bytes of the smallest program: for the estimate of wear
    erased        erases so far, of all blocks: an estimate, for littlefs does not tell
    erases        what one call may erase, one block after the other: littlefs decides
    is_ready      whether the next write erases nothing: nobody knows
    """

    erases = 4
    is_ready = False
    is_estimate = True

    def __init__(self, root, segment_size=4096, small=128, remount=None, program_size=32):
        self.root = root
        self.segment_size = segment_size
        self.small = small
        self.remount = remount
        self._files = []  # the one that is being written, if any
        self.erased = 0
        self._unit = program_size
        self._length = 0  # of what is being written
        self._log = 0  # bytes of commits since the last erase of a directory that was counted
        self.wrecks = 0  # files that an error left open
        self._pieces = None  # of the scrub that is under way

    def open(self):
        """Make the directory, with the directories above it, when it is absent."""
        path = ""
        for part in self.root.strip("/").split("/"):
            path += ("/" if path or self.root.startswith("/") else "") + part
            self._make(path)
        for name in os.listdir(self.root):
            if name[0] == _FILL:  # of a scrub that a power cut ended: it takes the journal's room
                self.remove(name)

    def segments(self):
        """Return the numbers of all segments, ascending, as a new list.

        They have a directory of their own: littlefs copies a directory each time its block is
        full, and the slots, which change most often, shall not copy the names of all segments.
        """
        self._make(self._path(_SEGMENTS))
        for name in os.listdir(self.root):
            if _number(name) is not None:  # of a firmware that kept them beside the slots
                os.rename(self._path(name), self._path(_SEGMENT % _number(name)))
        found = [_number(name) for name in os.listdir(self._path(_SEGMENTS))]
        numbers = [number for number in found if number is not None]
        numbers.sort()
        return numbers

    def write_segment(self, number, data, start, end):
        """Store data[start:end] as the segment of that number; durable on return."""
        self._wear(0)  # a name is made before there is a content
        self.begin(_SEGMENT % number)
        self.put(data, start, end)
        self.commit()

    def read_segment(self, number, out):
        """Copy a segment into the bytearray out, return its length; 0 when there is none."""
        return self._read(_SEGMENT % number, out)

    def remove_segment(self, number):
        """Remove a segment; no error when it is gone already."""
        self._wear(0)
        self.remove(_SEGMENT % number)

    def begin(self, slot, length=0, mode="wb"):
        """Begin to replace a slot's content; the old one holds until commit().

        length  bytes that will be put: the ring has to know, a file has not
        mode    "ab": what is put comes after the old content
        """
        self._drop()
        if self.wrecks >= _WRECKS_MAX:
            raise OSError(EIO, "EIO")
        self._files.append(open(self._path(slot), mode))
        self._length = 0

    def put(self, data, start, end):
        """Add data[start:end] to what was begun."""
        self._length += end - start
        try:
            self._files[0].write(memoryview(data)[start:end])
        except OSError as error:
            if error.errno == _ENOSPC:  # littlefs' own word: it commits nothing of this file
                self._files.pop().close()
            raise

    def commit(self):
        """Make what was put durable, at once and as a whole."""
        try:
            self._files[0].close()
        except OSError as error:
            if error.errno == _ENOSPC:
                self._files.clear()  # closed all the same
            raise
        self._files.clear()
        self._wear(self._length)

    def load(self, slot, out, at=0):
        """Copy a slot's content from byte `at` on into the bytearray out; return the count."""
        return self._read(slot, out, at)

    @property
    def blocks(self):
        """The blocks of the file system, in all of which littlefs writes in turn."""
        return os.statvfs(self.root)[2]

    @property
    def hottest(self):
        """Erases of the block that was erased most: it was a directory once more than others."""
        return self.erased * 3 // 2 // self.blocks + _DIRECTORY_ERASES

    def note_wear(self, erased):
        """Go on from what an earlier life has counted."""
        self.erased = max(self.erased, erased)

    def _wear(self, length):
        """Count what a commit costs: blocks of the content, a part of the directory's next one."""
        if length > self.small:
            self.erased += (length + _BLOCK - 1) // _BLOCK
            length = 0
        self._log += (length + _ENTRY + self._unit - 1) // self._unit * self._unit
        if self._log >= _LOG:
            self._log -= _LOG
            self.erased += 1

    def prepare(self):
        """Nothing can be done in advance here: littlefs erases when it writes."""
        return False

    def renew(self):
        """Nothing to do: a slot's next content goes to another place anyway."""

    def scrub(self):
        """Overwrite a piece of what is free; false when all of it was, and is free again."""
        if self._pieces is None:
            from agent.scrub import pieces

            self._pieces = pieces(self)
        try:
            for _ in self._pieces:
                return True
        except OSError:
            self._pieces = None
            raise
        self._pieces = None
        forget("scrub")
        return False

    def free_segments(self):
        """Return how many segments there is room for."""
        found = os.statvfs(self.root)
        return found[3] * found[0] // self.segment_size

    def names(self, folder):
        """Return the names in a folder below the root, "" for the root; None: it is a file."""
        try:
            return os.listdir(self._path(folder) if folder else self.root)
        except OSError as error:
            if error.errno != _ENOTDIR:
                raise
        return None

    def remove(self, name):
        """Remove a file; no error when it is gone already."""
        try:
            os.remove(self._path(name))
        except OSError as error:
            if error.errno != ENOENT:
                raise

    def recover(self):
        """Mount the file system anew after an OSError: littlefs' state may be undefined."""
        self._drop()
        if self.remount is not None:
            self.remount()

    def _drop(self):
        """Put away a file that an error left open: it must never be closed.

        An OSError of the block device jumps out of littlefs, which then knows nothing of it.
        Closed later, by us or by the collector, such a file would commit half a content, with
        what littlefs knew of the flash before it was mounted anew.
        """
        if self._files:
            _WRECKS.append(self._files.pop())
            self.wrecks += 1

    def _path(self, name):
        return self.root + "/" + name

    def _read(self, name, out, at=0):
        try:
            file = open(self._path(name), "rb")
        except OSError as error:
            if error.errno == ENOENT:
                return 0
            raise
        with file:
            if at:
                file.seek(at)
            return file.readinto(out)

    def _make(self, path):
        try:
            os.mkdir(path)
        except OSError as error:
            if error.errno != EEXIST and not self._is_there(path):
                raise

    def _is_there(self, path):
        try:
            os.stat(path)
        except OSError:
            return False
        return True


def _number(name):
    """Return the number of a segment's name; None: a person's file, which is left alone."""
    try:
        return int(name, 16) if len(name) == 8 else None
    except ValueError:
        return None
