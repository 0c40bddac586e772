"""boot.py: whatever the flash holds, it runs slot a, slot b or safe mode, and says why."""

import os
import sys
from binascii import crc32
from hashlib import sha256
from struct import pack

import firmware
from firmware import boot
from tests.fakes.nor_flash import Noise

HEAD = 960


def make_bundle(counter=1, files=((b"x", b"y"),)):
    """Return a whole bundle, unsigned."""
    names = hashes = content = b""
    for path, data in files:
        names += path + b" %d %d\n" % (len(data), len(content))
        hashes += sha256(data).digest()
        content += data
    listing = names + hashes
    head = boot._MAGIC + pack(">III", counter, len(listing), len(content))
    head += sha256(listing).digest() + sha256(listing + content).digest()
    head += pack(">I", len(names))
    return head + bytes(HEAD - len(head)) + listing + content


def line_of(text):
    """Return the content of /slot with that line and its right CRC."""
    return text.encode() + b"\n%08x" % (crc32(text.encode()) & 0xFFFFFFFF)


class Place:
    """A folder as the flash of a board, and what a board does."""

    def __init__(self, **files):
        self.root = "build/boot_%d" % id(self)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        for name, data in files.items():
            self.put(name, data)
        self.did = []
        self.shone = []
        self.seconds = 0

    def put(self, name, data):
        with open(self.root + "/" + name, "wb") as file:
            file.write(data)

    def get(self, name):
        with open(self.root + "/" + name, "rb") as file:
            return file.read()

    def close(self):
        for name in os.listdir(self.root):
            try:
                os.remove(self.root + "/" + name)
            except OSError:
                os.rmdir(self.root + "/" + name)
        os.rmdir(self.root)

    def arm(self):
        self.did.append("arm")

    def reset(self):
        self.did.append("reset")

    def reset_in(self, minutes):
        self.did.append(minutes)

    def sleep_s(self):
        self.seconds += 1

    def shine(self, on):
        self.shone.append(on)


class Firmware:
    """What stands in for firmware.main, and for the vfs of the board."""

    def __init__(self, end=None):
        self.end = end
        self.ran = []

    def start(self, board, slot, state):
        if slot:
            board.rest()
        self.ran.append((slot, list(state)))
        if self.end:
            raise self.end


class Vfs:
    mounted = None

    def mount(self, what, where):
        self.mounted = what


class Gc:
    threshold = staticmethod(lambda size: None)


def with_modules(modules, work):
    """Call work() while sys.modules holds these."""
    kept = {name: sys.modules.get(name) for name in modules}
    path = list(sys.path)
    sys.modules.update(modules)
    said = set()
    boot.gc = Gc
    boot.print = lambda *texts: said.add(" ".join([str(t) for t in texts]))
    try:
        work()
        return said
    finally:
        del boot.print
        for name, module in kept.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
        sys.path[:] = path


def run(place, end=None):
    """Start once; return (what ran or None, state on the flash)."""
    main = firmware.main = Firmware(end)
    place.said = with_modules({"firmware.main": main, "vfs": Vfs()}, lambda: boot.start(place))
    return main.ran[0][0] if main.ran else None, boot.read_state(place.root)


class Nothing:
    """What stands in for the package `firmware` where none is frozen in."""


def run_without_firmware(place):
    """Start once on a board that has none; return the state on the flash."""
    place.said = with_modules({"firmware": Nothing(), "vfs": Vfs()}, lambda: boot.start(place))
    return boot.read_state(place.root)


GOOD = make_bundle(1)
NEWER = make_bundle(2)


def test_a_confirmed_slot_runs_and_nothing_is_written():
    for active in ("a", "b"):
        place = Place(a=GOOD, b=NEWER, slot=line_of(active + " - 0 0 0 "))
        assert boot.choose(place.root) == (active, [active, "-", 0, 0, 0, ""], [])
        assert place.get("slot") == line_of(active + " - 0 0 0 ")
        place.close()


def test_a_trial_is_counted_before_it_runs():
    place = Place(a=GOOD, b=NEWER, slot=line_of("a b 3 0 60 "))
    for left in (2, 1, 0):
        slot, state, wrong = boot.choose(place.root)
        assert (slot, state[2], wrong) == ("b", left, [])
        assert boot.read_state(place.root) == ["a", "b", left, 0, 60, ""]
    slot, state, wrong = boot.choose(place.root)
    assert (slot, wrong) == ("a", [])
    assert state == ["a", "-", 0, 0, 0, "rolled back from b: no tries left"]
    assert boot.read_state(place.root) == state
    place.close()


def test_a_rollback_keeps_the_reason_of_the_last_failure():
    place = Place(a=GOOD, b=NEWER, slot=line_of("b a 0 0 9 ImportError: no app"))
    assert boot.choose(place.root)[:2] == (
        "b",
        ["b", "-", 0, 0, 0, "rolled back from a: ImportError: no app"],
    )
    place.close()


def test_a_trial_that_is_not_whole_or_cannot_be_counted_does_not_run():
    place = Place(a=GOOD, b=NEWER[:-1], slot=line_of("a b 3 0 0 "))
    slot, state, _ = boot.choose(place.root)
    assert slot == "a" and state[5] == "rolled back from b: is 1 bytes short"
    place.put("b", NEWER)
    place.put("slot", line_of("a b 3 0 0 "))
    kept = boot.write_state
    boot.write_state = lambda root, state: False
    try:
        slot, state, _ = boot.choose(place.root)
    finally:
        boot.write_state = kept
    assert slot == "a" and state[5] == "rolled back from b: its tries cannot be counted"
    place.close()


def test_an_active_slot_that_is_gone_or_damaged_gives_way_to_the_other():
    for bad, why in (
        (None, "is absent"),
        (GOOD[:-1], "is 1 bytes short"),
        (GOOD[:-1] + b"z", "is damaged"),
        (b"", "is no firmware"),
        (b"x" * 2000, "is no firmware"),
    ):
        place = Place(b=NEWER, slot=line_of("a - 0 0 0 "))
        if bad is not None:
            place.put("a", bad)
        slot, state, wrong = boot.choose(place.root)
        assert slot == "b" and wrong[0].startswith("slot a " + why), wrong
        assert state[5] == wrong[0]
        place.close()


def test_three_failures_leave_a_slot_and_six_both():
    place = Place(a=GOOD, b=NEWER, slot=line_of("a - 0 0 0 "))
    for fails, slot in enumerate(("a", "a", "a", "b", "b", "b")):
        ran, state = run(place, ValueError("seeded %d" % fails))
        assert ran == slot and state[3] == fails + 1, (fails, ran, state)
        assert state[5] == "ValueError: seeded %d" % fails
        assert place.did[-2:] == ["arm", "reset"]
    slot, state, wrong = boot.choose(place.root)
    assert slot == "" and len(wrong) == 2
    assert wrong[1] == "slot b failed: ValueError: seeded 5"
    place.close()


def test_firmware_that_ends_by_itself_leads_to_safe_mode_at_once():
    place = Place(a=GOOD, b=NEWER, slot=line_of("a - 0 0 0 "))
    ran, state = run(place)
    assert ran == "a" and state[3:] == [6, 0, "ended by itself"]
    assert boot.choose(place.root)[0] == ""
    place.close()


def test_a_failed_trial_costs_a_try_and_no_failure_of_the_other():
    place = Place(a=GOOD, b=NEWER, slot=line_of("a b 2 0 7 "))
    assert run(place, OSError(5)) == ("b", ["a", "b", 1, 0, 7, "OSError: %s" % OSError(5)])
    assert run(place) == ("b", ["a", "b", 0, 0, 7, "ended by itself"])
    ran, state = run(place, MemoryError("seeded"))
    assert ran == "a" and state == ["a", "-", 0, 1, 0, "MemoryError: seeded"]
    place.close()


def test_safe_mode_says_what_is_wrong_and_tries_again_after_an_hour():
    place = Place(a=b"junk", slot=line_of("a - 0 4 0 x"), journal=b"kept")
    state = run_without_firmware(place)
    said = place.said
    assert place.seconds == 3600
    assert place.shone[:4] == [1, 0, 1, 0] and len(place.shone) == 3600
    text = "\n".join(list(said))
    assert "SAFE MODE" in text and "slot a failed: x" in text and "eclor deploy" in text
    assert "slot b is absent" in text and "ImportError: " in text
    assert state[3] == 0 and place.did == ["reset"]
    assert place.get("journal") == b"kept"
    place.close()


def test_a_flash_that_cannot_be_written_ends_in_safe_mode_not_in_a_reset_loop():
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "))
    kept = boot.write_state
    boot.write_state = lambda root, state: False
    try:
        ran, _ = run(place, ValueError("seeded"))
    finally:
        boot.write_state = kept
    assert ran == "a" and place.seconds == 3600 and place.did == ["arm", "reset"]
    place.close()


def test_a_real_write_error_is_told():
    assert boot.write_state("no_such_folder_of_boot", ["a", "-", 0, 0, 0, ""]) is False


def test_what_is_frozen_runs_when_no_slot_can():
    place = Place()
    ran, state = run(place, None)
    assert ran == "" and state == ["-", "-", 0, 6, 0, "ended by itself"]
    assert run(place, None)[0] == ""
    assert place.seconds == 3600 and place.did == ["reset", "reset"]
    place.close()


class Fetcher:
    """What stands in for firmware.repair."""

    def __init__(self, end):
        self.end = end
        self.wrong = None

    def start(self, board, wrong, inspect):
        self.wrong = list(wrong)
        assert inspect is boot.inspect and not inspect(board.root, "repair")[1]
        if isinstance(self.end, str):
            return self.end
        raise self.end


def test_without_a_firmware_the_repair_bundle_runs_and_hears_what_is_wrong():
    for end, said in (("nobody came", "nobody came"), (OSError("radio"), "OSError: radio")):
        place = Place(a=b"junk", repair=GOOD)
        fetcher = firmware.repair = Fetcher(end)
        package = Nothing()
        package.repair = fetcher
        vfs = Vfs()
        modules = {"firmware": package, "firmware.repair": fetcher, "vfs": vfs}
        path = []

        def go(place=place, path=path):
            boot.start(place)
            path.extend(sys.path)

        text = "\n".join(list(with_modules(modules, go)))
        assert "  no repair over the network: /repair " + said in text
        assert fetcher.wrong[0] == "slot a is no firmware" and len(fetcher.wrong) == 3
        assert fetcher.wrong[2].startswith("ImportError: ")
        assert vfs.mounted.stat("/x")[0] == 0x8000 and path[0] == boot.MOUNT
        assert place.did == ["arm", "reset"] and place.seconds == 3600
        place.close()


def test_a_damaged_repair_bundle_is_not_run_and_a_firmware_that_ran_needs_none():
    fetcher = firmware.repair = Fetcher("x")
    place = Place(a=b"junk", repair=GOOD[:-1])
    run_without_firmware(place)
    assert fetcher.wrong is None and place.did == ["reset"]
    assert "  no repair over the network: /repair is 1 bytes short" in place.said
    place.close()
    place = Place(a=GOOD, repair=GOOD, slot=line_of("a - 0 0 0 "))
    kept = boot.write_state
    boot.write_state = lambda root, state: False
    try:
        run(place, ValueError("seeded"))
    finally:
        boot.write_state = kept
    assert fetcher.wrong is None
    place.close()


def test_maintenance_starts_nothing_once():
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "), maintenance=b"")
    assert run(place)[0] is None
    assert place.did == [30]
    assert run(place)[0] == "a"
    place.close()


def test_maintenance_ends_by_itself_after_the_minutes_that_were_asked():
    for text, minutes in ((b"5", 5), (b"60", 60), (b"61", 60), (b"0", 30), (b"-5", 30),
                          (b"\xff5", 30), (b"999999999999", 60), (b"000000005", 5),
                          (b"0000000059", 5)):  # fmt: skip
        place = Place(a=GOOD, slot=line_of("a - 0 0 0 "), maintenance=text)
        assert run(place)[0] is None
        assert place.did == [minutes], text
        place.close()
    place = Place()
    with_modules({}, lambda: boot.maintain(7, place))
    assert place.did == ["reset"]
    assert boot.maintenance_min(place.root) == 7 and boot.maintenance_min(place.root) == 0
    place.close()


def test_a_technicians_computer_gets_the_modules_of_a_whole_slot_and_nothing_runs():
    for state, files, wanted in (
        ("a - 0 0 0 ", {"a": GOOD, "b": NEWER}, "a"),
        ("b - 0 0 0 ", {"a": GOOD, "b": NEWER}, "b"),
        ("a - 0 9 0 ", {"a": b"x", "b": NEWER}, "b"),
        ("b - 0 0 0 ", {"a": GOOD}, "a"),
        ("", {"a": GOOD, "b": NEWER}, "a"),
        ("", {}, ""),
    ):
        place = Place(slot=line_of(state), **files)
        before = place.get("slot")
        vfs, found, paths = Vfs(), [], []
        said = with_modules(
            {"vfs": vfs},
            lambda: (found.append(boot.mount(place)), paths.extend(sys.path)),  # noqa: B023
        )
        assert found == [wanted] and said == set()
        assert (vfs.mounted is not None) == bool(wanted) == (paths[0] == boot.MOUNT)
        assert place.did == [30] and place.get("slot") == before
        place.close()


def test_a_note_of_any_characters_stays_one_line_that_can_be_read():
    place = Place()
    note = "caf\u00e9\n\x00" + "x" * 500
    assert boot.write_state(place.root, ["a", "b", 1, 2, 3, note])
    state = boot.read_state(place.root)
    assert state[:5] == ["a", "b", 1, 2, 3]
    assert state[5] == "caf???" + "x" * 194
    place.close()


def test_an_unreadable_slot_file_runs_the_newest_whole_slot():
    for content in (None, b"", b"b", line_of("a - 0 0 0 ")[:-1], line_of("c - 0 0 0 ")):
        for a, b, slot in ((GOOD, NEWER, "b"), (NEWER, GOOD, "a"), (GOOD, b"", "a")):
            place = Place(a=a, b=b)
            if content is not None:
                place.put("slot", content)
            found, state, wrong = boot.choose(place.root)
            assert (found, wrong) == (slot, []), (content, slot)
            assert state[5] == "/slot was unreadable or absent"
            place.close()


def test_a_board_with_the_firmware_frozen_in_has_nothing_to_tell_of_slots():
    place = Place()
    assert boot.choose(place.root)[:2] == ("", ["-", "-", 0, 0, 0, ""])
    place.put("b", b"junk")  # there was one: what became of it is told
    assert boot.choose(place.root)[1][5] == "/slot was unreadable or absent"
    place.put("a", b"junk")
    assert boot.choose(place.root)[1][5] == "/slot was unreadable or absent"
    os.remove(place.root + "/b")
    assert boot.choose(place.root)[1][5] == "/slot was unreadable or absent"
    place.close()


def test_what_is_frozen_in_is_active_until_a_trial_is_confirmed():
    for state, ran, after in (
        ("- - 0 0 0 ", "", "- - 0 1 0 ValueError: x"),
        ("- - 0 2 0 x", "", "- - 0 3 0 ValueError: x"),
        ("- - 0 3 0 x", "a", "- - 0 4 0 ValueError: x"),
        ("- - 0 6 0 x", "b", "- - 0 7 0 ValueError: x"),
        ("- a 3 0 0 ", "a", "- a 2 0 0 ValueError: x"),
        ("- b 1 0 0 ", "b", "- b 0 0 0 ValueError: x"),
        ("- b 0 0 0 hung", "", "- - 0 1 0 ValueError: x"),
    ):
        place = Place(a=GOOD, b=NEWER, slot=line_of(state))
        assert run(place, ValueError("x"))[0] == ran, state
        assert place.get("slot") == line_of(after), (state, place.get("slot"))
        assert place.did[-1:] == ["reset"] and not place.seconds, "it is tried again at once"
        place.close()
    place = Place(a=GOOD, slot=line_of("- b 0 0 0 hung"))
    assert boot.choose(place.root)[1][5] == "rolled back from b: hung"
    place.put("slot", line_of("- - 0 5 0 hung"))
    assert boot.choose(place.root)[1][5] == "what is frozen failed: hung"
    place.close()


def test_what_is_frozen_in_fails_nine_times_before_it_waits_in_safe_mode():
    place = Place()
    for count in range(1, 10):
        ran, state = run(place, ValueError("x"))
        assert (ran, state[:4]) == ("", ["-", "-", 0, count])
        assert place.did == ["reset"] * count and not place.seconds
    ran, state = run(place, ValueError("x"))
    assert ran == "" and place.seconds == 3600, "now a person is waited for"
    assert state[3] == 0, "then all is tried once more"
    place.close()


def test_without_any_firmware_it_waits_in_safe_mode_at_once():
    place = Place()
    assert run_without_firmware(place)[:4] == ["-", "-", 0, 0]
    assert place.seconds == 3600 and place.did == ["reset"]
    place.close()
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "))  # a slot that cannot be imported is tried
    assert run_without_firmware(place)[3] == 1
    assert place.did == ["arm", "reset"] and not place.seconds
    place.close()


def test_lines_that_make_no_sense_are_unreadable_even_with_their_crc():
    for text in ("", "a", "a - 0 0 0", "a - x 0 0 ", "ab - 0 0 0 ", "a c 0 0 0 ", "c - 0 0 0 ",
                 "a - -1 0 0 ", "a - 0 -1 0 ", "a - 0 0 -1 ", "a b 1.5 0 0 "):  # fmt: skip
        place = Place(a=GOOD, slot=line_of(text))
        assert boot.read_state(place.root) is None, text
        assert boot.choose(place.root)[0] == "a"
        place.close()
    place = Place(slot=b"\xff\xfe - 0 0 0 \n%08x" % (crc32(b"\xff\xfe - 0 0 0 ") & 0xFFFFFFFF))
    assert boot.read_state(place.root) is None
    place.close()


def test_every_truncation_of_slot_and_slots_ends_in_an_outcome():
    state = line_of("a b 2 0 60 note")
    for cut in range(len(state)):
        place = Place(a=GOOD, b=NEWER, slot=state[:cut])
        assert boot.choose(place.root)[0] == "b"  # unreadable: the newest whole one
        place.close()
    for cut in list(range(24)) + list(range(24, HEAD, 97)) + list(range(HEAD - 2, len(GOOD))):
        place = Place(a=GOOD[:cut], b=NEWER, slot=line_of("a - 0 0 0 "))
        assert boot.choose(place.root)[0] == "b"
        place.put("b", b"")
        assert boot.choose(place.root)[0] == ""
        place.close()


def test_random_bytes_anywhere_end_in_an_outcome_and_never_in_a_damaged_slot():
    noise = Noise(9)
    outcomes = {}
    for turn in range(400):
        place = Place(a=GOOD, b=NEWER, slot=line_of("ab"[noise.below(2)] + " b 2 1 0 n"))
        good = {"a": True, "b": True}
        for name in ("a", "b", "slot"):
            data = bytearray(place.get(name))
            fate = noise.below(6)
            if fate == 0:
                data = bytearray(noise.take(noise.below(2000)))
            elif fate == 1:
                data = data[: noise.below(len(data))]
            elif fate == 2:
                data[noise.below(len(data))] ^= 1 << noise.below(8)
            elif fate == 3:
                os.remove(place.root + "/" + name)
                data = None
            if data is not None:
                place.put(name, data)
            if name != "slot":
                good[name] = boot.inspect(place.root, name)[1] == ""
        slot, state, _ = boot.choose(place.root)
        assert slot in ("a", "b", "") and len(state) == 6
        assert good.get(slot, not (good["a"] or good["b"])), (turn, slot, good)
        outcomes[slot] = outcomes.get(slot, 0) + 1
        place.close()
    assert min(outcomes.values()) > 10 and len(outcomes) == 3


def test_a_directory_in_the_place_of_a_file_is_unreadable():
    place = Place(a=GOOD)
    os.mkdir(place.root + "/slot")
    os.mkdir(place.root + "/b")
    assert boot.choose(place.root)[0] == "a"
    place.close()


def test_a_slot_is_a_file_system_to_import_from():
    files = ((b"agent/app.mpy", b"first"), (b"boards/host.mpy", b""), (b"z.mpy", b"last one"))
    place = Place(a=make_bundle(1, files))
    slot = boot.Slot(place.root + "/a")
    slot.mount(True, False)
    assert [slot.stat(p)[0] for p in ("/", "/agent", "/agent/app.mpy")] == [0x4000, 0x4000, 0x8000]
    for path, data in files:
        with slot.open("/" + path.decode(), "rb") as file:
            assert file.read(len(data)) == data
    for path in ("/agent/app", "/agen", "/app.mpy", "/agent/app.mpy/", "/z"):
        for call in (slot.stat, lambda p: slot.open(p, "rb")):
            try:
                call(path)
            except OSError as error:
                assert error.args[0] == 2
            else:
                raise AssertionError(path)
    slot.umount()
    place.close()


def test_a_slot_at_rest_holds_no_listing_and_reads_it_when_asked():
    files = ((b"agent/app.mpy", b"first"), (b"z.mpy", b"last one"))
    place = Place(a=make_bundle(1, files))
    slot = boot.Slot(place.root + "/a")
    assert slot._held == b"\nagent/app.mpy 5 0\nz.mpy 8 5\n"
    slot.rest()
    assert not slot._held
    assert [slot.stat(p)[0] for p in ("/agent", "/agent/app.mpy", "/z.mpy")] == [
        0x4000,
        0x8000,
        0x8000,
    ]
    with slot.open("/z.mpy", "rb") as file:
        assert file.read(8) == b"last one"
    assert not slot._held
    place.close()


def test_a_chip_is_armed_fed_and_reset():
    did = []

    class Machine:
        class WDT:
            def __init__(self, timeout):
                did.append(timeout)

            def feed(self):
                did.append("feed")

        class Timer:
            ONE_SHOT = 0

            def __init__(self, number):
                did.append(number)

            def init(self, mode, period, callback):
                did.append(period)
                callback(self)

        reset = staticmethod(lambda: did.append("reset"))

        class Pin:
            OUT = 1

            def __init__(self, name, mode):
                pins.append((name, mode))
                if name == "none":
                    raise ValueError

            def value(self, on):
                pins.append(on)

    class Time:
        sleep = staticmethod(did.append)

    class Sys:
        platform = "rp2"

    def work():
        chip = boot.Chip()
        chip.sleep_s()
        chip.arm()
        chip.sleep_s()
        chip.reset()
        boot.sys = Sys
        try:
            chip.reset_in(2)
            Sys.platform = "esp32"
            chip.reset_in(60)
        finally:
            boot.sys = sys

        chip.root = place.root
        chip.shine(1)  # there is no /led
        for name in (b"none", b"25", b"LED"):
            place.put("led", name)
            chip = boot.Chip()
            chip.root = place.root
            chip.shine(1)
            chip.shine(0)

    place = Place()
    pins = []
    with_modules({"machine": Machine, "time": Time}, work)
    place.close()
    assert pins == [("none", 1), ("none", 1), (25, 1), 1, 0, ("LED", 1), 1, 0]
    assert did[:5] == [1, 8000, "feed", 1, "reset"]
    assert did[5:] == [-1, 120000, "reset", 0, 3600000, "reset"]


def test_without_a_board_a_computer_talks_to_a_chip():
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "))
    chip, boot.Chip = boot.Chip, lambda: place
    try:
        with_modules({"vfs": Vfs()}, lambda: (boot.maintain(), boot.mount()))
    finally:
        boot.Chip = chip
    assert place.did == ["reset", 30] and place.get("maintenance") == b"30"
    place.close()


def test_a_flag_that_cannot_be_removed_starts_no_maintenance():
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "), maintenance=b"5")

    class Stuck:
        @staticmethod
        def remove(path):
            raise OSError(30)

    boot.os = Stuck
    try:
        assert boot.maintenance_min(place.root) == 0
    finally:
        boot.os = os
    place.close()


def test_without_a_board_it_is_a_chip():
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "))
    main = firmware.main = Firmware()
    kept = boot.Chip
    boot.Chip = lambda: place
    try:
        with_modules({"firmware.main": main, "vfs": Vfs()}, boot.start)
    finally:
        boot.Chip = kept
    assert main.ran[0][0] == "a"
    place.close()


def test_a_slot_says_of_a_file_what_micropython_looks_at_and_nothing_else():
    place = Place(a=make_bundle(1, ((b"agent/app.mpy", b"x"),)))
    slot = boot.Slot(place.root + "/a")
    assert slot.stat("/agent/app.mpy") == (0x8000,) + (0,) * 9  # a file
    assert slot.stat("/agent") == slot.stat("/") == (0x4000,) + (0,) * 9  # a directory
    place.close()


def test_safe_mode_speaks_every_ten_seconds_for_an_hour():
    place = Place(a=b"junk")
    spoke = []
    boot.print = lambda text: spoke.append((place.seconds, text))
    try:
        boot.safe_mode(place, ["a", "-", 0, 4, 0, "x"], ["slot a is no firmware"])
    finally:
        del boot.print
    at = [second for second, text in spoke if "SAFE MODE" in text]
    assert at == list(range(0, 3600, 10)) and len(spoke) == 3 * len(at)
    assert boot.read_state(place.root) == ["a", "-", 0, 0, 0, "x"] and place.did == ["reset"]
    place.close()


def test_an_led_has_a_name_of_twenty_characters_at_most():
    named = []

    class Machine:
        class Pin:
            OUT = 1

            def __init__(self, name, mode):
                named.append(name)

            def value(self, on):
                pass

    place = Place(led=b"L" * 30)
    chip = boot.Chip()
    chip.root = place.root
    with_modules({"machine": Machine}, lambda: (chip.shine(1), chip.shine(0)))
    assert named == ["L" * 20], "looked for once"
    place.close()


def test_a_line_of_four_hundred_bytes_is_read_whole():
    for size, readable in ((391, True), (392, False)):
        place = Place(slot=line_of("a - 0 0 0 " + "n" * (size - 10)))
        assert (boot.read_state(place.root) is not None) is readable
        place.close()
    place = Place()
    assert boot.write_state(place.root, ["a", "-", 0, 0, 0, " ~\x7f\x1f"])
    assert boot.read_state(place.root)[5] == " ~??"
    place.close()


def test_what_is_not_whole_counts_for_less_than_any_firmware():
    place = Place(a=b"x", b=GOOD[:-1])
    os.mkdir(place.root + "/c")
    assert boot.inspect(place.root, "a") == (-1, "is no firmware")
    assert boot.inspect(place.root, "b") == (-1, "is 1 bytes short")
    why = boot.inspect(place.root, "c")[1]  # a directory
    assert boot.inspect(place.root, "c")[0] == -1 and why != "is absent"
    assert boot.inspect(place.root, "d") == (-1, "is absent")
    place.put("b", GOOD[:-1] + b"?")
    assert boot.inspect(place.root, "b") == (-1, "is damaged")
    place.put("b", make_bundle(0))
    assert boot.inspect(place.root, "b") == (0, "")
    nothing = ["b", "-", 0, 0, 0, "/slot was unreadable or absent"]
    assert boot.choose(place.root) == ("b", nothing, []), "one of counter 0 is newer than none"
    place.put("a", make_bundle(0))
    assert boot.choose(place.root)[0] == "a", "of two that are alike it is the first"
    place.close()


def test_a_slot_of_any_length_is_hashed_to_its_end():
    for size in (1, 1023, 1024, 1025, 2048, 5000):
        good = make_bundle(1, ((b"x", bytes(size)),))
        place = Place(a=good, b=good[:-1] + b"\x01")
        assert boot.inspect(place.root, "a") == (1, "")
        assert boot.inspect(place.root, "b") == (-1, "is damaged")
        place.close()


def test_a_slot_is_mounted_and_first_on_the_path_before_its_firmware_is_imported():
    class Watching(Firmware):
        def start(self, board, slot, state):
            seen.append((sys.path[0], vfs.mounted is not None))
            Firmware.start(self, board, slot, state)

    seen = []
    thresholds = []
    vfs = Vfs()
    place = Place(a=GOOD, slot=line_of("a - 0 0 0 "))
    main = firmware.main = Watching(ValueError("seeded"))
    kept, Gc.threshold = Gc.threshold, staticmethod(thresholds.append)
    try:
        said = with_modules({"firmware.main": main, "vfs": vfs}, lambda: boot.start(place))
    finally:
        Gc.threshold = staticmethod(kept)
    assert seen == [(boot.MOUNT, True)]
    assert len(thresholds) == 1 and 1024 < thresholds[0] < 65536
    os.remove(place.root + "/a")
    os.remove(place.root + "/slot")
    kept, Gc.threshold = Gc.threshold, staticmethod(thresholds.append)
    try:
        with_modules({"firmware.main": main, "vfs": vfs}, lambda: boot.start(place))
    finally:
        Gc.threshold = staticmethod(kept)
    assert thresholds == thresholds[:1] * 2, (
        "what is frozen in fills the heap from its beginning too"
    )
    if not hasattr(sys, "print_exception"):
        assert "seeded" in said, "what went wrong is shown at the cable"
    place.put("maintenance", b"7")
    said = with_modules({"firmware.main": main, "vfs": vfs}, lambda: boot.start(place))
    assert "starts by itself in 7 min" in " ".join(list(said))
    place.close()
