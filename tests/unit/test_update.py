# heap: 1m
"""A new firmware: offered, refused, fetched, cut, resumed, verified, tried."""

import json
import os
from hashlib import sha256
from struct import pack

from agent import signature
from agent.commands import CannotDo
from agent.mac import Mac
from agent.slots import Slots
from agent.update import Updater
from firmware import boot
from tests.fakes.bundles import KEY, NEW, NEW_FILES, OLD, SAME, make_bundle
from tests.vectors.release import (
    FORM_DATA,
    FORM_KEY,
    FORMS,
    MODULUS,
    NEXT_MODULUS,
    OFFER,
    SHORT_KEY,
    SHORT_SIGNATURE,
    SIGNATURE,
    SIGNED,
)


class Bench:
    """A gateway's slots in a folder, and a server that gives what is wanted."""

    def __init__(self, old=OLD, new=NEW):
        self.root = "build/update_%d" % id(self)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        self.new = new
        self.put("a", old)
        self.start()

    def start(self):
        self.slots = Slots(self.root, "a", ["a", "-", 0, 0, 0, ""])
        self.slots.write(self.slots.state)
        self.slots.free = lambda: 1 << 20
        self.said = []
        mac = Mac(KEY)
        self.updater = Updater(
            self.slots, MODULUS, "host", mac, b"chunkgw", self.said.append, lambda: 3
        )
        self.updater.signer = lambda offer: 1
        self.now = 0

    def put(self, name, data):
        with open(self.root + "/" + name, "wb") as file:
            file.write(data)

    def get(self, name):
        with open(self.root + "/" + name, "rb") as file:
            return file.read()

    def close(self):
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)

    def piece(self, at, count, key=KEY, new=None):
        new = new or self.new
        body = b"\x01" + new[52:56] + pack(">I", at) + new[at : at + count]
        return body + Mac(key).tag(b"chunkgw", body)

    def give(self):
        """Answer every want."""
        while self.said:
            want = json.loads(self.said.pop(0))
            assert want["want"] == "".join(["%02x" % b for b in self.new[52:56]])
            at, end = want["at"], want["at"] + want["bytes"]
            while at < end:
                count = min(2048, end - at)
                self.updater.take(self.piece(at, count), self.now)
                at += count

    def run(self, steps=200):
        for _ in range(steps):
            self.updater.step(self.now)
            self.give()
            self.now += 10
            if self.updater.is_ready or self.updater.is_idle:
                break


def refusal(bench, offer):
    try:
        bench.updater.offer(offer)
    except CannotDo as error:
        return str(error)
    raise AssertionError("taken")


def test_a_signature_made_elsewhere_is_checked_bit_by_bit():
    assert signature.is_signed(MODULUS, SIGNED, SIGNATURE)
    for bit in range(0, 3072, 61):
        bad = bytearray(SIGNATURE)
        bad[bit // 8] ^= 1 << bit % 8
        assert not signature.is_signed(MODULUS, SIGNED, bytes(bad))
    for at in (0, 8, 100, 575):
        bad = bytearray(SIGNED)
        bad[at] ^= 1
        assert not signature.is_signed(MODULUS, bytes(bad), SIGNATURE)
    assert not signature.is_signed(NEXT_MODULUS, SIGNED, SIGNATURE)


def test_signatures_of_no_form_are_refused():
    top = int.from_bytes(MODULUS, "big")
    for number in (0, 1, top - 1, top, top + 1, (1 << 3072) - 1):
        assert not signature.is_signed(MODULUS, SIGNED, number.to_bytes(384, "big"))
    assert not signature.is_signed(MODULUS, SIGNED, b"")
    assert not signature.is_signed(MODULUS, SIGNED, SIGNATURE[:-1])
    assert not signature.is_signed(bytes(384), SIGNED, SIGNATURE)
    assert not signature.is_signed(b"", SIGNED, SIGNATURE)


def test_a_signed_offer_passes_the_whole_check():
    bench = Bench()
    del bench.updater.signer
    bench.updater.check(OFFER)
    assert bench.updater.signer(OFFER) == 1
    for at in (10, 60, 100, 300, 700):
        bad = bytearray(OFFER)
        bad[at] ^= 1
        assert "signature" in refusal(bench, bytes(bad))
    assert bench.slots.size("b") == 0
    bench.close()


def test_what_is_not_for_this_gateway_is_refused_before_a_byte_is_fetched():
    bench = Bench()
    for offer, why in (
        (b"", "no offer"),
        (NEW[:959], "no offer"),
        (b"x" + NEW[1:960], "no offer"),
        (make_bundle(NEW_FILES, boards=b"esp32_poe,hosts")[:960], "it is not for"),
        (make_bundle(NEW_FILES, version=b"\xff\xfe")[:960], "is no text"),
        (make_bundle(NEW_FILES, 1)[:960], "counter 1 is not above 1"),
        (make_bundle(NEW_FILES, 0)[:960], "counter 0 is not above 1"),
        (NEW[:12] + b"\xff\xff\xff\xff" + NEW[16:960], "a listing"),
        (NEW[:16] + b"\xff\xff\xff\xff" + NEW[20:960], "of content"),
        (NEW[:84] + b"\x00\x00\x00\x01" + NEW[88:960], "a listing"),
    ):
        assert why in refusal(bench, offer), why
    bench.slots.free = lambda: 100
    assert "no room" in refusal(bench, NEW[:960])
    bench.updater._keys = []
    assert "no release key" in refusal(bench, NEW[:960])
    bench.slots.state[1] = "a"
    assert "on trial" in refusal(bench, NEW[:960])
    assert bench.slots.size("b") == 0 and not bench.said
    bench.close()


def test_an_update_fetches_what_changed_and_copies_the_rest():
    bench = Bench()
    answer = bench.updater.offer(NEW[:960])
    assert answer == {"version": "2.0", "slot": "b", "at": 960, "of": len(NEW)}
    bench.run()
    assert bench.updater.is_ready, bench.updater.why
    assert bench.get("b") == NEW
    assert bench.updater.copied == len(SAME)
    assert bench.updater.fetched == len(NEW) - 960 - len(SAME)
    assert boot.read_state(bench.root) == ["a", "b", 3, 0, 0, "meters 3"]
    assert boot.inspect(bench.root, "b") == (2, "")
    assert "starts now" in refusal(bench, NEW[:960])
    bench.close()


def test_a_fetch_goes_on_after_a_restart_at_any_byte():
    for cut in list(range(960, len(NEW) + 1, 611)) + list(range(len(NEW) - 1, len(NEW) + 1)):
        bench = Bench()
        bench.put("b", NEW[:cut])
        assert bench.updater.resume()
        bench.run()
        assert bench.updater.is_ready, (cut, bench.updater.why)
        assert bench.get("b") == NEW
        assert bench.updater.fetched + bench.updater.copied == len(NEW) - cut
        bench.close()


def test_what_is_no_newer_firmware_is_not_resumed():
    for held in (b"", NEW[:959], OLD, b"x" * 2000):
        bench = Bench()
        bench.put("b", held)
        assert not bench.updater.resume()
        assert bench.updater.is_idle
        bench.close()


def test_another_offer_replaces_what_is_there():
    bench = Bench()
    bench.put("b", b"junk" * 3000)
    bench.updater.offer(NEW[:960])
    bench.run()
    assert bench.updater.is_ready and bench.get("b") == NEW
    bench.close()


def test_pieces_that_are_forged_foreign_or_unwanted_are_not_written():
    bench = Bench()
    bench.updater.take(bench.piece(960, 100), 0)  # nobody has asked yet
    bench.updater.offer(NEW[:960])
    bench.updater.take(bench.piece(960, 100), 0)
    bench.updater.step(0)
    want = json.loads(bench.said[0])
    good = bench.piece(960, want["bytes"])
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        bench.updater.take(bytes(bad), 0)
    for cut in range(len(good)):
        bench.updater.take(good[:cut], 0)
    bench.updater.take(bench.piece(960, want["bytes"], bytes(32)), 0)
    bench.updater.take(bench.piece(961, 10), 0)
    bench.updater.take(bench.piece(960, want["bytes"] + 1), 0)
    bench.updater.take(bench.piece(960, 0), 0)
    assert bench.slots.size("b") == 960
    assert bench.updater.refused == 2 + 9 * len(good) + 4
    bench.updater.take(good, 0)
    assert bench.slots.size("b") == 960 + want["bytes"]
    bench.updater.take(good, 0)  # twice
    assert bench.slots.size("b") == 960 + want["bytes"]
    bench.close()


def test_a_content_that_is_not_the_signed_one_ends_the_update():
    for at in (970, 1100, len(NEW) - 4):
        bench = Bench()
        wrong = bytearray(NEW)
        wrong[at] ^= 1
        bench.new = bytes(wrong)
        bench.updater.offer(NEW[:960])
        bench.run()
        assert bench.updater.is_idle and bench.updater.why
        assert bench.slots.size("b") == 0
        assert boot.read_state(bench.root)[1] == "-"
        bench.close()


def test_a_signed_listing_that_does_not_add_up_ends_the_update():
    for line in (b"z.mpy 0 13999\n", b"z.mpy 0 14001\n", b"z.mpy -1 14000\n", b"z.mpy x 14000\n",
                 b"z.mpy 14000\n", b"z.mpy 99 14000\n", b"zzzz.mpy.14000\n", b"\n"):  # fmt: skip
        good = b"z.mpy 0 14000\n"
        names = NEW[960 : NEW.index(b"z.mpy")] + line
        rest = NEW[NEW.index(good) + len(good) :]
        listing = names + rest[:96]
        content = rest[96:]
        head = NEW[:12] + pack(">II", len(listing), len(content)) + sha256(listing).digest()
        head += sha256(listing + content).digest() + pack(">I", len(names)) + NEW[88:960]
        bench = Bench(new=head + listing + content)
        bench.updater.offer(bench.new[:960])
        bench.run()
        assert bench.updater.is_idle and bench.updater.why, line
        assert bench.slots.size("b") == 0
        bench.close()


def test_what_is_read_back_wrong_is_not_tried():
    bench = Bench()
    bench.updater.offer(NEW[:960])
    read = bench.slots.read

    def rotten(slot, at, count):
        data = read(slot, at, count)
        if slot == "b" and bench.updater._phase == 3 and at > 2000:
            data = b"\x00" + data[1:]
        return data

    bench.slots.read = rotten
    bench.run()
    assert bench.updater.is_idle and "read back" in bench.updater.why
    bench.close()


def test_a_silent_server_is_asked_less_and_less_often():
    bench = Bench()
    bench.updater.offer(NEW[:960])
    at = []
    for now in range(0, 4000000, 5000):
        bench.updater.step(now)
        if bench.said:
            at.append(now)
            bench.said.clear()
    gaps = [b - a for a, b in zip(at, at[1:])]  # noqa: B905, RUF007 - MicroPython has neither
    assert gaps[:4] == [10000, 20000, 40000, 80000] and max(gaps) == 600000
    bench.close()


def test_a_flash_that_fails_ends_the_update_with_its_reason():
    bench = Bench()
    bench.updater.offer(NEW[:960])

    def broken(slot, data):
        raise OSError(28)

    bench.slots.append = broken
    bench.run()
    assert bench.updater.is_idle and "28" in bench.updater.why
    bench.close()


def test_a_frozen_firmware_takes_no_older_counter_and_copies_nothing():
    bench = Bench()
    bench.slots = Slots(bench.root, "", ["-", "-", 0, 0, 0, ""])
    bench.slots.free = lambda: 1 << 20
    os.remove(bench.root + "/a")
    bench.updater._slots = bench.slots
    assert bench.slots.version() == "" and bench.slots.counter("a") == 0
    for slot in ("a", "b"):  # of an update that was left, or has failed its trial
        bench.put(slot, make_bundle(NEW_FILES, 4))
        assert refusal(bench, NEW[:960]) == "its counter 2 is not above 3"
        os.remove(bench.root + "/" + slot)
    bench.put("a", NEW)
    bench.updater.offer(NEW[:960])
    bench.run()
    assert bench.updater.is_ready and bench.updater.copied == 0
    assert boot.read_state(bench.root)[:3] == ["-", "a", 3]
    assert boot.choose(bench.root)[0] == "a", "it is tried"
    boot.write_state(bench.root, ["-", "a", 0, 0, 0, "hung"])
    slot, state, wrong = boot.choose(bench.root)
    assert (slot, wrong) == ("", []), "what is frozen in returns, not what failed"
    assert state[5] == "rolled back from a: hung"
    bench.close()


def test_slots_write_what_boot_reads():
    bench = Bench()
    for state in (["a", "-", 0, 0, 0, ""], ["b", "a", 3, 2, 3600, "caf\u00e9 x" + "y" * 300]):
        bench.slots.write(state)
        mine = bench.get("slot")
        assert boot.read_state(bench.root)[:5] == state[:5]
        boot.write_state(bench.root, state)
        assert bench.get("slot") == mine
    assert bench.slots.version() == "2.0" and bench.slots.counter("a") == 1
    bench.put("b", b"x" * 960)
    assert bench.slots.counter("b") == 0
    bench.close()


def test_an_offer_that_comes_again_goes_on_where_its_fetch_was():
    bench = Bench()
    bench.put("b", NEW[:3000])
    assert bench.updater.offer(NEW[:960])["at"] == 3000
    bench.put("b", NEW[:960])
    assert bench.updater.offer(NEW[:960])["at"] == 960
    bench.put("b", b"x" + NEW[1:3000])
    assert bench.updater.offer(NEW[:960])["at"] == 960
    bench.put("b", NEW[:959])
    assert bench.updater.offer(NEW[:960])["at"] == 960 and bench.slots.size("b") == 960
    assert bench.updater.id == NEW[52:56]
    bench.close()


def test_room_is_what_is_free_and_what_the_old_offer_gives_back():
    bench = Bench()
    bench.put("b", b"junk" * 100)
    bench.slots.free = lambda: len(NEW) - 401
    assert refusal(bench, NEW[:960]) == "no room: %d bytes, %d are free" % (len(NEW), len(NEW) - 1)
    bench.slots.free = lambda: len(NEW) - 400
    assert bench.updater.offer(NEW[:960])["of"] == len(NEW)
    bench.close()


def test_limits_of_an_offer_are_kept_to_the_byte():
    bench = Bench()

    def head(listing, content, names):
        return NEW[:12] + pack(">II", listing, content) + NEW[20:84] + pack(">I", names)

    for listing, content, names, why in (
        (65536, 4194304, 65536 - 32, ""),
        (64, 0, 64, ""),
        (65568, 0, 65536, "a listing of 65568"),
        (64, 0, 65, "a listing of 64 bytes with 65"),
        (65, 0, 32, "a listing of 65"),
        (64, 4194305, 32, "4194305 bytes of content"),
    ):
        try:
            bench.updater.check(head(listing, content, names) + NEW[88:960])
            assert not why, why
        except CannotDo as error:
            assert why and str(error).startswith(why), error
    for version, why in ((b"v" * 24, ""), (b"v" * 23 + b"\xff", "its version is no text")):
        try:
            bench.updater.check(make_bundle(NEW_FILES, version=version)[:960])
            assert not why
        except CannotDo as error:
            assert str(error) == why
    bench.close()


def test_what_is_idle_reports_nothing():
    bench = Bench()
    nothing = {"version": "", "phase": "idle", "at": 0, "of": 0}
    nothing.update({"fetched": 0, "copied": 0, "refused": 0, "why": ""})
    assert bench.updater.report() == nothing
    assert not bench.updater.is_busy and not bench.updater.is_ready and bench.updater.is_idle
    bench.updater.offer(NEW[:960])
    said = bench.updater.report()
    assert (said["version"], said["phase"], said["at"], said["of"]) == (
        "2.0",
        "listing",
        960,
        len(NEW),
    )
    assert not bench.updater.is_busy and not bench.updater.is_idle
    bench.close()


def test_a_piece_that_came_gives_the_next_one_its_whole_time():
    bench = Bench()
    bench.updater.offer(NEW[:960])
    asked = []

    def until(now_ms):
        for now in range(bench.now, now_ms, 500):
            bench.updater.step(now)
            if bench.said:
                asked.append((now, json.loads(bench.said.pop())["at"]))
        bench.now = now_ms

    until(40000)
    assert asked == [(0, 960), (10000, 960), (30000, 960)]
    bench.updater.take(bench.piece(960, 20), 40000)
    until(80000)
    assert asked[3:] == [(50000, 980), (70000, 980)]
    bench.close()


def test_only_the_hashes_of_the_running_listing_are_held():
    bench = Bench()
    bench.updater.offer(NEW[:960])
    read = bench.slots.read
    counts = []

    def seen(slot, at, count):
        if slot == "a":
            counts.append(count)
        return read(slot, at, count)

    bench.slots.read = seen
    while bench.updater.report()["phase"] == "listing":
        bench.updater.step(bench.now)
        bench.give()
        bench.now += 10
    assert counts == [192, 64], "its head, then two hashes"
    bench.close()


def test_slots_tell_a_version_and_a_note_to_their_last_character():
    bench = Bench(make_bundle(NEW_FILES, version=b"1.2.3-candidate-of-spring"[:24]))
    assert bench.slots.version() == "1.2.3-candidate-of-sprin"
    bench.slots.write(["a", "-", 0, 0, 0, " ~\x7f\x1f"])
    assert boot.read_state(bench.root)[5] == " ~??"
    bench.close()


def test_a_file_is_copied_from_wherever_the_running_firmware_has_it():
    old = make_bundle(((b"x.mpy", b"x" * 100), (b"y.mpy", b"y" * 7), (b"a.mpy", SAME)), 1)
    bench = Bench(old)
    bench.updater.offer(NEW[:960])
    bench.run()
    assert bench.updater.is_ready and bench.get("b") == NEW
    assert bench.updater.copied == len(SAME)
    bench.close()


def test_a_hash_that_stands_across_two_hashes_is_no_file():
    new = make_bundle(((b"a.mpy", SAME),))
    digest = sha256(SAME).digest()
    old = bytearray(make_bundle(((b"x", b"x" * 10), (b"y", b"y" * 10)), 1))
    at = old.index(b"y 10 10\n") + 8
    old[at + 16 : at + 48] = digest  # a listing nobody signs; this one is in the flash
    bench = Bench(bytes(old), new)
    bench.updater.offer(new[:960])
    bench.run()
    assert bench.updater.is_ready and bench.updater.copied == 0
    bench.close()
    old = make_bundle(((b"x", SAME),), 1).replace(b"x 5000 0\n", b"x 4999 0\n")
    bench = Bench(old, new)
    bench.updater.offer(new[:960])
    bench.run()
    assert bench.updater.is_ready and bench.updater.copied == 0, "its size is another"
    bench.close()


def test_boards_fill_their_field_and_counters_all_their_bytes():
    bench = Bench()
    bench.updater.check(make_bundle(NEW_FILES, boards=b"y" * 75 + b",host")[:960])
    bench.updater.check(make_bundle(NEW_FILES, boards=b"host," + b"y" * 75)[:960])
    for counter in (0x01000000, 0xFFFFFFFE):
        bench.put("b", make_bundle(NEW_FILES, counter))
        assert bench.slots.counter("b") == counter and bench.slots.is_newer
    bench.put("a", make_bundle(NEW_FILES, 0xFFFFFFFF))
    assert not bench.slots.is_newer
    bench.close()


def test_it_is_busy_while_it_copies_or_hashes_and_not_while_it_waits():
    bench = Bench(make_bundle(((b"x", b"x" * 100),), 1))  # nothing can be copied
    bench.updater.offer(NEW[:960])
    seen = {}
    while not bench.updater.is_ready:
        phase = bench.updater.report()["phase"]
        seen.setdefault(phase, set()).add(bench.updater.is_busy)
        bench.updater.step(bench.now)
        bench.give()
        bench.now += 10
    assert seen == {"listing": {False}, "content": {False}, "verify": {True}}
    bench.close()
    bench = Bench()
    bench.updater.offer(NEW[:960])
    while bench.updater.copied == 0:
        bench.updater.step(bench.now)
        bench.give()
    assert bench.updater.is_busy and bench.updater.report()["phase"] == "content"
    bench.close()


def test_free_room_is_that_of_the_file_system_of_the_slots():
    from agent import slots as module

    class Os:
        @staticmethod
        def statvfs(path):
            asked.append(path)
            return (512, 4096, 100, 7, 5, 0, 0, 0, 0, 255)

    asked = []
    kept = module.os
    module.os = Os
    try:
        assert Slots("/flash", "a", []).free() == Slots("", "a", []).free() == 512 * 7
    finally:
        module.os = kept
    assert asked == ["/flash", "/"]
    assert not module.Pair("", "a", []).is_newer


def test_a_signature_that_is_right_in_all_but_one_place_is_none():
    for why, number in FORMS:
        taken = signature.is_signed(FORM_KEY, FORM_DATA, number)
        assert taken is (why == "as it should be"), why
    assert not signature.is_signed(FORM_KEY, FORM_DATA + b".", FORMS[0][1])
    # A key of fewer bits is none, though its signature is good.
    top = int.from_bytes(SHORT_KEY, "big")
    number = int.from_bytes(SHORT_SIGNATURE, "big")
    assert pow(number, 65537, top).to_bytes(384, "big")[-1] == 0xBC
    assert not signature.is_signed(SHORT_KEY, FORM_DATA, SHORT_SIGNATURE)


def test_each_file_has_its_own_hash_and_a_second_offer_begins_anew():
    new = make_bundle(((b"n", b"new" * 50), (b"a", SAME), (b"m", b"more" * 9)))
    bench = Bench(new=new)
    bench.updater.offer(NEW[:960])
    while bench.updater.report()["phase"] != "content" or bench.updater.fetched < 400:
        bench.updater.step(bench.now)
        bench.new = NEW
        bench.give()
        bench.now += 10
    bench.said.clear()
    bench.new = new
    assert bench.updater.offer(new[:960])["at"] == 960
    fetched = bench.updater.fetched
    bench.run()
    assert bench.updater.is_ready and bench.get("b") == new, bench.updater.why
    assert bench.updater.copied % len(SAME) == 0 and bench.updater.copied > 0
    assert bench.updater.fetched - fetched == len(new) - 960 - len(SAME)
    bench.close()


def test_slots_that_fail_or_end_early_end_the_update_with_the_reason():
    bench = Bench()

    def full(slot, data):
        raise OSError(28)

    append, bench.slots.append = bench.slots.append, full
    assert refusal(bench, NEW[:960]).startswith("the slot cannot be written: ")
    bench.slots.append = append
    assert bench.updater.is_idle
    bench.put("a", OLD[: OLD.index(SAME) + 100])  # a running slot that was cut
    bench.updater.offer(NEW[:960])
    bench.run()
    assert bench.updater.is_idle and bench.updater.why == "the running slot ends early"
    assert bench.updater.copied == 100 and bench.slots.size("b") == 0
    bench.close()
    bench = Bench()
    bench.updater.offer(NEW[:960])
    read = bench.slots.read

    def short(slot, at, count):
        is_end = bench.updater.report()["phase"] == "verify" and at > 5000
        return b"" if is_end else read(slot, at, count)

    bench.slots.read = short
    bench.run()
    assert bench.updater.why == "the slot ends early" and bench.slots.state[1] == "-"
    bench.close()


def test_a_content_longer_than_its_listing_ends_the_update():
    listing_end = NEW.index(SAME)
    listing, content = NEW[960:listing_end], NEW[listing_end:] + b"more"
    head = NEW[:16] + pack(">I", len(content)) + NEW[20:52] + sha256(listing + content).digest()
    new = head + NEW[84:960] + listing + content
    bench = Bench(new=new)
    bench.updater.offer(new[:960])
    bench.run()
    assert bench.updater.why == "the listing ends before the content"
    bench.close()


def test_the_pin_of_the_led_is_written_once():
    from agent.slots import leave_led

    bench = Bench()
    leave_led(bench.root, "25")
    assert bench.get("led") == b"25"
    os.remove(bench.root + "/led")
    os.mkdir(bench.root + "/led")
    leave_led(bench.root, "25")  # it cannot be written: safe mode is dark
    os.rmdir(bench.root + "/led")
    bench.put("led", b"LED")
    leave_led(bench.root, "LED")
    leave_led(bench.root, "7")
    assert bench.get("led") == b"7"
    bench.close()


def test_the_range_behind_one_that_came_whole_is_asked_for_again_after_ten_seconds():
    bench = Bench()
    bench.updater.offer(NEW[:960])
    asked = []
    for now in range(0, 60_000, 500):
        bench.updater.step(now)
        if bench.said:
            asked.append((now, json.loads(bench.said[-1])["at"]))
            if len(asked) < 3:  # the listing, and the first range of a file that is not here
                bench.give()
            bench.said.clear()
    assert len(asked) == 5 and asked[2][1] == asked[4][1] == asked[1][1] + 8192
    assert [now - asked[2][0] for now, _ in asked[3:]] == [10_000, 30_000]
    bench.close()
