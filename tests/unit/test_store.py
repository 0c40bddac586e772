"""agent/store.py on real files; the whole journal on a real littlefs where there is one."""

# A simulated flash beside the journal:
# heap: 1m

import gc
import os
import sys

from agent import store
from agent.journal import Journal
from agent.record import EVENT
from agent.store import Files
from tests.skips import skip

_ROOT = "build/test_store"


def _fresh(name):
    ground = Files(_ROOT + "/" + name)
    ground.open()
    ground.segments()
    for folder in (ground.root + "/segments/", ground.root + "/"):
        for file in os.listdir(folder):
            if file != "segments":
                os.remove(folder + file)
    return ground


def test_segments_are_listed_by_number_and_foreign_files_left_alone():
    ground = _fresh("segments")
    ground.open()  # twice is no error
    out = bytearray(16)
    for number in (300, 7, 0xFFFFFFFF):
        ground.write_segment(number, b"-%d-" % (number & 0xFF), 1, 3)
    for name in ("notes.txt", "segments/notes.md"):
        with open(ground.root + "/" + name, "w") as file:
            file.write("a person's")
    assert ground.segments() == [7, 300, 0xFFFFFFFF]
    assert ground.read_segment(7, out) == 2 and bytes(out[:2]) == b"7-"
    ground.remove_segment(7)
    ground.remove_segment(7)
    assert ground.read_segment(7, out) == 0
    assert ground.segments() == [300, 0xFFFFFFFF]


def test_its_folders_are_made_wherever_the_root_is():
    for root in (_ROOT + "/made/here", os.getcwd() + "/" + _ROOT + "/made/there"):
        ground = Files(root)
        ground.open()
        ground.segments()
        assert sorted(os.listdir(root)) == ["segments"]
        for folder in (root + "/segments", root, root[: root.rindex("/")]):
            os.rmdir(folder)


def test_segments_of_an_older_firmware_are_found():
    ground = _fresh("older")
    ground.write_segment(9, b"nine", 0, 4)
    os.rename(ground.root + "/segments/00000009", ground.root + "/00000009")
    out = bytearray(16)
    assert ground.read_segment(9, out) == 0
    assert ground.segments() == [9]
    assert ground.read_segment(9, out) == 4 and bytes(out[:4]) == b"nine"


def test_a_slot_is_replaced_as_a_whole():
    ground = _fresh("slots")
    out = bytearray(16)
    assert ground.load("mark", out) == 0
    for text in (b"first one", b"second"):
        ground.begin("mark")
        ground.put(text, 0, 3)
        ground.put(text, 3, len(text))
        ground.commit()
    assert ground.load("mark", out) == 6 and bytes(out[:6]) == b"second"


class _Ram:
    """4 KB blocks in RAM, as a littlefs wants them."""

    def __init__(self, blocks):
        self._data = bytearray(blocks * 4096)

    def readblocks(self, block, buffer, offset=0):
        at = block * 4096 + offset
        buffer[:] = self._data[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=0):
        at = block * 4096 + offset
        self._data[at : at + len(buffer)] = buffer

    def ioctl(self, op, argument):
        if op == 4:
            return len(self._data) // 4096
        if op == 5:
            return 4096
        return 0


def test_a_journal_on_littlefs_lives_through_fifty_restarts():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    device = _Ram(20)
    os.VfsLfs2.mkfs(device)
    wanted = 1
    out = bytearray(4096)
    for life in range(50):
        os.mount(os.VfsLfs2(device), "/journaltest")
        journal = Journal(Files("/journaltest/journal"), lambda: 77, 10 * 4096)
        recovery = journal.start()
        assert recovery.next == wanted and not journal.degraded, life
        assert recovery.opens == ([] if life == 0 else [(2, b"open%d" % (life - 1))])
        for i in range(life % 9):
            payload = b"%d" % (wanted + i) * 100
            journal.append(EVENT, payload, 0, len(payload))
        part = b"open%d" % life
        journal.save_open(1, [(2, part, 0, len(part))])
        wanted = journal.next
        for seq in range(journal.first, journal.next):
            found, length = journal.read_from(seq, out)
            assert found == seq and bytes(out[12 : length - 4]) == b"%d" % seq * 100
        journal.trim_through(77, journal.durable - 12)
        journal.housekeep(0, True)
        os.umount("/journaltest")


def test_a_file_that_an_error_left_open_is_never_closed():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    from tests.fakes.nor_flash import NorFlash

    for late in range(1, 5):
        flash = NorFlash(bytearray(b"\xff" * (12 * 4096)))
        os.VfsLfs2.mkfs(flash, progsize=32)
        os.mount(os.VfsLfs2(flash, progsize=32), "/wreck")
        ground = Files("/wreck/j")
        ground.open()
        ground.begin("base")
        flash.fail_at = flash.operations + late
        try:
            ground.put(b"x" * 3000, 0, 3000)
            ground.commit()
        except OSError:
            pass
        flash.fail_at = 0
        os.umount("/wreck")
        before = flash.operations
        ground.recover()
        gc.collect()
        gc.collect()
        assert flash.operations == before, late


def test_after_twelve_wrecks_nothing_is_written_any_more():
    ground = _fresh("wrecks")
    for _ in range(12):
        ground.begin("base")
        ground.recover()
    try:
        ground.begin("base")
        raise AssertionError("a thirteenth")
    except OSError as error:
        assert error.errno == 5


def test_on_a_file_system_that_others_filled_the_oldest_records_go():
    if not hasattr(os, "VfsLfs2"):
        skip("no littlefs in this Python: runs on MicroPython")
    device = _Ram(24)
    os.VfsLfs2.mkfs(device)
    os.mount(os.VfsLfs2(device), "/filled")
    ground = Files("/filled/journal")
    journal = Journal(ground, lambda: 77, 100 * 4096)
    journal.start()
    for i in range(150):
        payload = b"%03d" % i * 150
        journal.append(EVENT, payload, 0, len(payload))
        journal.sync()
        if i == 40:
            with open("/filled/update.bin", "wb") as file:
                file.write(bytes(6 * 4096))
    assert journal.durable == 150 and not journal.degraded
    assert journal.lost_last > 50 and ground.wrecks == 0 and journal.errors == 0
    out = bytearray(4096)
    for seq in range(journal.lost_last + 1, 151):
        found, _ = journal.read_from(seq, out)
        assert found == seq and bytes(out[12:15]) == b"%03d" % (seq - 1)
    os.umount("/filled")


def _raised(work, *args):
    try:
        work(*args)
    except OSError:
        return True
    return False


class _File:
    """A file whose close() says that there is no room."""

    closed = 0

    def write(self, data):
        raise OSError(28, "ENOSPC")

    def close(self):
        self.closed += 1
        if self.closed == 1:
            raise OSError(28, "ENOSPC")


def test_errors_that_are_no_absence_reach_the_caller():
    ground = _fresh("errors")
    os.mkdir(ground.root + "/folder")
    out = bytearray(8)
    assert _raised(ground.load, "folder", out) or ground.load("absent", out) == 0
    assert _raised(ground.remove, "folder") or not ground._is_there(ground.root + "/folder")
    if ground._is_there(ground.root + "/folder"):
        os.rmdir(ground.root + "/folder")
    with open(ground.root + "/plain", "w") as file:
        file.write("no folder")
    assert _raised(Files(ground.root + "/plain/journal").open)


def test_a_file_without_room_is_closed_and_is_no_wreck():
    ground = _fresh("room")
    ground.begin("base")
    file = _File()
    file.closed = 1
    real = ground._files.pop()
    real.close()
    ground._files.append(file)
    assert _raised(ground.put, b"data", 0, 4) and not ground._files and file.closed == 2
    ground._files.append(_File())
    assert _raised(ground.commit) and not ground._files and ground.wrecks == 0


def test_what_was_being_written_when_the_flash_failed_is_not_finished():
    ground = _fresh("recovered")
    ground.begin("base")
    ground.recover()
    assert ground.wrecks == 1 and not ground._files
    store._WRECKS.pop().close()
    ground.recover()
    assert ground.wrecks == 1, "nothing was open"
    assert Files("elsewhere").segment_size == 4096


class _Full(Files):
    """A file system without room, on a flash that fails."""

    def free_segments(self):
        return 0

    def put(self, data, start, end):
        raise OSError(5, "EIO")


class _Small(Files):
    """A file system of which little is free: its last file has no room."""

    def begin(self, slot, length=0, mode="wb"):
        self.is_last = mode == "ab"
        super().begin(slot, length, mode)

    def put(self, data, start, end):
        if self.is_last:
            self._files.pop().close()
            raise OSError(28, "ENOSPC")
        super().put(data, start, end)

    def free_segments(self):
        return 0


def test_a_scrub_is_many_pieces_and_leaves_nothing():
    ground = _Small(_ROOT + "/scrubbed")
    ground.open()
    ground.segments()
    for _ in range(2):
        pieces = 0
        while ground.scrub():
            pieces += 1
        assert pieces > 10
        assert sorted(os.listdir(ground.root)) == ["segments"]


def test_a_scrub_on_a_failing_flash_says_so():
    ground = _Full(_ROOT + "/scrub")
    ground.open()
    assert _raised(ground.scrub) and _raised(ground.scrub), "nor is it done the second time"


def test_a_slot_is_read_from_any_byte_on():
    ground = _fresh("bytes")
    ground.begin("open")
    ground.put(b"0123456789", 0, 10)
    ground.commit()
    out = bytearray(4)
    assert [bytes(out[: ground.load("open", out, at)]) for at in (0, 3, 8, 10)] == [
        b"0123",
        b"3456",
        b"89",
        b"",
    ]


def test_what_a_commit_wears_is_estimated_by_its_length():
    ground = _fresh("wear")
    assert not ground.is_ready and not ground.prepare()  # nobody knows what littlefs will erase

    def commit(length):
        ground.begin("base")
        ground.put(bytes(length), 0, length)
        ground.commit()

    for length, commits, erased in (
        (128, 17, 0),  # within its entry: 160 bytes of a log of 2,800
        (128, 1, 1),
        (129, 1, 2),  # a block of its own, and the entry
        (4096, 1, 3),
        (4097, 1, 5),
    ):
        for _ in range(commits):
            commit(length)
        assert ground.erased == erased, length
    ground.note_wear(3)
    assert ground.erased == 5
    ground.note_wear(70)
    assert ground.erased == 70


def test_room_is_counted_in_what_is_free():
    class Disk:
        def statvfs(self, path):
            return (512, 1024, 900, 49, 40, 0, 0, 0, 0, 255)

    ground = Files("x", 8188)
    kept = store.os
    store.os = Disk()
    try:
        assert ground.free_segments() == 3 and ground.blocks == 900  # 24.5 KB
        ground.note_wear(6000)
        assert ground.hottest == 110  # half as much again as others, and a directory's 100
    finally:
        store.os = kept


def test_a_file_has_no_names_and_what_is_absent_is_an_error():
    ground = _fresh("names")
    ground.write_segment(9, b"nine", 0, 4)
    assert ground.names("segments") == ["00000009"] and "segments" in ground.names("")
    with open(ground.root + "/plain", "w") as file:
        file.write("no folder")
    assert ground.names("plain") is None
    assert _raised(ground._make, ground.root + "/plain/below")
    assert _raised(ground.names, "absent")


def test_a_segment_wears_its_block_and_two_entries():
    ground = _fresh("segment_wear")
    for number in range(43):
        ground.write_segment(number, bytes(4096), 0, 4096)
    assert ground.erased == 43  # 64 bytes of the log each
    ground.write_segment(43, bytes(4096), 0, 4096)
    assert ground.erased == 45
    for number in range(86):
        ground.remove_segment(number)
    assert ground.erased == 45
    ground.remove_segment(86)
    assert ground.erased == 46


def test_a_directory_that_is_there_is_no_error_whatever_the_file_system_says():
    class Disk:
        is_there = True

        def mkdir(self, path):
            raise OSError(1, "EPERM")

        def stat(self, path):
            if not self.is_there:
                raise OSError(2, "ENOENT")

    ground = Files("x")
    kept = store.os
    store.os = Disk()
    try:
        ground._make("/flash")
        store.os.is_there = False
        assert _raised(ground._make, "/flash")
    finally:
        store.os = kept


def test_what_a_scrub_left_behind_goes_at_the_next_start():
    ground = _fresh("left")
    for name in ("~0", "~fill"):
        with open(ground.root + "/" + name, "w") as file:
            file.write("fills the free space")
    ground.open()
    assert os.listdir(ground.root) == ["segments"]
    assert Files.erases == 4 and Files.is_estimate


def test_a_short_commit_wears_two_programs_and_each_byte_once():
    ground = _fresh("short_wear")
    for commits, erased in ((43, 0), (1, 1)):  # 64 bytes of the log each, of 2,800
        for _ in range(commits):
            ground.begin("base")
            ground.put(b"x" * 3000, 2000, 2001)
            ground.commit()
        assert ground.erased == erased


def test_what_is_begun_anew_holds_nothing_of_what_was_left():
    ground = _fresh("anew")
    out = bytearray(16)
    ground.begin("base")
    ground.put(b"left", 0, 4)
    ground.begin("base")
    ground.put(b"new", 0, 3)
    ground.commit()
    assert bytes(out[: ground.load("base", out)]) == b"new" and ground.wrecks == 1
    store._WRECKS.pop().close()


def test_after_an_error_the_file_system_is_mounted_anew():
    mounted = []
    ground = Files(_ROOT + "/mounted", remount=lambda: mounted.append(1))
    ground.recover()
    assert mounted == [1]


def test_a_scrub_that_ended_begins_again_and_holds_no_memory():
    ground = _Small(_ROOT + "/scrubbed_again")
    ground.open()
    ground.segments()
    while ground.scrub():
        assert ground._pieces is not None
    assert ground._pieces is None and "agent.scrub" not in sys.modules
