# heap: 1m
"""What joins an update, a change of configuration, their trials and the keys to the gateway."""

import json
import os

from agent.mac import Mac
from agent.meter import OK, WAITING
from agent.orders import TRIED, CannotDo
from agent.settings import Settings
from agent.slots import Slots
from agent.upgrade import KEYS, Upgrade
from tests.fakes.bundles import KEY, NEW, NEW_FILES, OLD, make_bundle
from tests.fakes.memory_ground import MemoryGround
from tests.vectors.release import MODULUS, NEXT_MODULUS, OFFER

OLDER = bytes([0x80]) + bytes(383)  # a release key that signed nothing


class Meter:
    answers = 3
    failures = 0

    def __init__(self):
        self.state = OK
        self.config = {"interval_s": 900}


class App:
    """What an upgrade wants of one; it is its own clock, journal, log, uplink, keys, orders."""

    def __init__(self):
        self.identity = {"gateway": "gw", "board": "host"}
        self.config = {"update": {"settle_s": 60, "trial_s": 600}, "uplink": {"tls": False}}
        self.clock = self.journal = self.log = self.uplink = self.keys = self.orders = self
        self.uptime_ms = 0
        self.now_ms = 7
        self.acked = self.errors = 0
        self.meters = [Meter(), Meter()]
        self.sleep = None
        self.run_s = 0
        self.events = []
        self.said = []
        self.restarts = []
        self.publish_want = self.said.append
        self.restart = self.restarts.append

    def note_event(self, what, why):
        self.events.append((what, why))

    def check(self, context, data, start, end):
        return Mac(KEY).check(context, data, start, end)


class Bench:
    """A gateway's flash in a folder, with a configuration in force; lives begin with start()."""

    def __init__(self, slot=None, settings=None, old=OLD):
        self.root = "build/upgrade_%d" % id(self)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        self.put("a", old)
        self.ground = MemoryGround()
        self.ground.slots[KEYS] = MODULUS
        first = Settings(self.root)
        first.store({"gateway": "gw"}, {}, False)
        self.settings_state = settings
        self.start(slot or ["a", "-", 0, 0, 0, ""])

    def start(self, state, running="a", key=KEY):
        self.app = App()
        self.slots = Slots(self.root, running, state)
        self.slots.free = lambda: 1 << 20
        self.settings = Settings(self.root)
        self.settings.look()
        if self.settings_state:
            self.settings.state = list(self.settings_state)
        self.settings.running = self.settings.state[0]
        self.upgrade = Upgrade(self.app, self.slots, key, self.ground, self.settings)

    def put(self, name, data):
        with open(self.root + "/" + name, "wb") as file:
            file.write(data)

    def close(self):
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)

    def unsigned(self):
        """Take bundles of tests/fakes for signed by the first key."""
        self.upgrade._load().signer = lambda offer: 1

    def give(self, new=NEW):
        """Answer what is wanted."""
        while self.app.said:
            want = json.loads(self.app.said.pop(0))
            at, end = want["at"], want["at"] + want["bytes"]
            while at < end:
                count = min(2048, end - at)
                body = b"\x01" + new[52:56] + at.to_bytes(4, "big") + new[at : at + count]
                self.upgrade.take(body + Mac(KEY).tag(b"chunkgw", body), 0)
                at += count

    def bring(self):
        """Step until it is decided; return whether the gateway is to restart."""
        for step in range(200):
            if self.upgrade.step(step):
                return True
            self.give()
        return False


def refusal(work, *args):
    try:
        work(*args)
    except CannotDo as error:
        return str(error)
    raise AssertionError("taken")


def test_a_gateway_at_rest_says_nothing_and_does_nothing():
    bench = Bench()
    bench.upgrade.start("power", 10)
    assert bench.app.events == [] and bench.upgrade.report() is None
    assert not bench.upgrade.is_busy and not bench.upgrade.is_fetching
    assert not bench.upgrade.step(0) and not bench.upgrade.pause()
    bench.upgrade.take(b"a piece nobody asked for", 0)
    assert bench.upgrade.report() is None
    bench.close()


def test_an_offer_is_fetched_and_the_gateway_restarts_once():
    bench = Bench()
    bench.upgrade.start("power", 10)
    bench.unsigned()
    assert not bench.upgrade.is_fetching
    answer = bench.upgrade.order({"offer": "".join(["%02x" % b for b in NEW[:960]])})
    assert answer["version"] == "2.0" and answer["slot"] == "b"
    assert bench.app.events == [("update_offered", "2.0")]
    assert bench.upgrade.is_fetching and not bench.upgrade.is_busy
    assert not bench.upgrade.step(0) and bench.app.said
    busy = False
    for step in range(200):
        bench.give()
        busy = busy or bench.upgrade.is_busy
        if bench.upgrade.step(step):
            break
    assert busy and bench.upgrade.report()["phase"] == "ready"
    assert bench.slots.state[:3] == ["a", "b", 3] and bench.slots.state[5] == "meters 2"
    assert bench.ground.slots[TRIED] == NEW[52:56]
    assert not bench.upgrade.step(200), "it is said once"
    bench.close()


def test_only_meters_that_answer_now_are_counted():
    bench = Bench()
    bench.unsigned()
    dead, silent = Meter(), Meter()
    dead.failures = 4
    silent.answers = 0
    bench.app.meters += [dead, silent]
    bench.upgrade.offered(NEW[:960])
    assert bench.bring() and bench.slots.state[5] == "meters 2"
    bench.close()


def test_a_fetch_that_fails_is_told_once():
    bench = Bench()
    bench.unsigned()
    bench.upgrade.order({"offer": "".join(["%02x" % b for b in NEW[:960]])})
    wrong = bytearray(NEW)
    wrong[-1] ^= 1
    for step in range(200):
        bench.give(bytes(wrong))
        assert not bench.upgrade.step(step)
    assert bench.app.events[1:] == [("update_failed", "what was read back is not what was signed")]
    assert not bench.upgrade.is_fetching and TRIED not in bench.ground.slots
    bench.close()


def test_an_offer_that_is_none_is_refused_in_words():
    bench = Bench()
    for offer in (None, 7, "0g", "abc"):
        assert refusal(bench.upgrade.order, {"offer": offer}) == "offer: is not hexadecimal"
    assert "no offer" in refusal(bench.upgrade.order, {"offer": "00"})
    bench.settings.state[1] = bench.settings.running
    assert "a configuration is on trial" in refusal(bench.upgrade.order, {"offer": "00"})
    assert bench.app.events == []
    bench.close()


def test_what_a_web_server_offers_is_checked_with_the_keys_of_the_gateway():
    bench = Bench()
    bench.upgrade.offered(OFFER)  # signed, for this board
    assert bench.app.events == [("update_offered", bytes(OFFER[88:112]).rstrip(b"\0").decode())]
    bench.close()
    for keys in (b"", NEXT_MODULUS, MODULUS[:-1]):
        bench = Bench()
        bench.ground.slots[KEYS] = keys
        bench.upgrade.offered(OFFER)
        assert [what for what, _ in bench.app.events] == ["update_refused"]
        assert bench.ground.slots[TRIED] == OFFER[52:56], "it is not asked for again"
        bench.close()
    bench = Bench()
    bench.ground.slots[KEYS] = NEXT_MODULUS + MODULUS
    bench.upgrade.offered(OFFER)
    assert bench.app.events[0][0] == "update_offered"
    bench.close()


def test_a_flash_that_cannot_be_read_has_no_release_key():
    bench = Bench()
    bench.ground.fail = 1
    bench.upgrade.offered(OFFER)
    assert bench.app.events == [("update_refused", "no release key is provisioned")]
    bench.close()


def test_what_can_run_later_is_not_noted_as_tried():
    bench = Bench()
    bench.unsigned()
    bench.slots.free = lambda: 100
    bench.upgrade.offered(NEW[:960])
    assert bench.app.events[0][0] == "update_refused" and "no room" in bench.app.events[0][1]
    assert TRIED not in bench.ground.slots
    bench.ground.fail = 9
    bench.upgrade.offered(make_bundle(NEW_FILES, 1)[:960])  # too old; the note cannot be kept
    assert "counter" in bench.app.events[1][1]
    bench.close()


def test_nothing_is_offered_beside_a_trial_or_a_fetch():
    for pair in ("slots", "settings"):
        bench = Bench()
        which = getattr(bench, pair)
        which.state = ["b", which.running, 2, 0, 0, ""]
        bench.upgrade.offered(NEW[:960])
        assert bench.app.events == []
        bench.close()
    bench = Bench()
    bench.unsigned()
    bench.upgrade.offered(NEW[:960])
    bench.upgrade.offered(NEW[:960])
    assert len(bench.app.events) == 1
    bench.close()


def test_half_an_update_is_gone_on_with_after_a_restart_only_when_it_is_believed():
    bench = Bench()
    bench.put("b", NEW[:3000])
    bench.upgrade.start("power", 1)  # unsigned: not believed
    assert not bench.upgrade.is_fetching and bench.upgrade.report() is None
    bench.unsigned()
    bench.upgrade.start("power", 1)
    assert bench.upgrade.is_fetching and bench.bring()
    bench.close()
    bench = Bench()
    bench.put("b", NEW[:3000])
    bench.start(["a", "-", 0, 0, 0, ""], key=b"")
    bench.upgrade.start("power", 1)  # nobody could send it a piece: no memory for that
    assert bench.upgrade._updater is None
    bench.close()
    bench = Bench(old=NEW)
    bench.put("b", OLD)  # older than what runs
    loaded = []
    bench.upgrade._load = lambda: loaded.append(1)
    bench.upgrade.start("power", 1)
    assert loaded == []
    bench.close()


def test_what_is_fetched_is_tried_once_it_is_known_how_many_meters_answer():
    bench = Bench()
    waiting = bench.app.meters[1]
    waiting.state, waiting.answers = WAITING, 0  # the gateway has only just started
    bench.unsigned()
    bench.upgrade.offered(NEW[:960])
    bench.app.uptime_ms = 959999  # an interval, and what a turn takes
    assert not bench.bring() and not bench.upgrade.is_busy
    assert bench.upgrade.report()["phase"] == "hearing"
    bench.app.uptime_ms = 960000  # it will not answer
    assert bench.upgrade.step(0) and bench.slots.state[5] == "meters 1"
    bench.close()


def test_a_meter_that_is_read_once_a_day_holds_up_an_update_for_two_hours():
    bench = Bench()
    bench.app.meters[0].state = WAITING
    bench.app.meters[0].config = {"interval_s": 86400}
    bench.unsigned()
    bench.upgrade.offered(NEW[:960])
    bench.app.uptime_ms = 7199999
    assert not bench.bring()
    bench.app.sleep = bench  # it reads all of them when it wakes, and is up for seconds
    assert bench.upgrade.step(0)
    bench.close()


def test_a_meter_that_is_heard_ends_the_wait():
    bench = Bench()
    bench.app.meters[0].state = WAITING
    bench.unsigned()
    bench.upgrade.offered(NEW[:960])
    assert not bench.bring()
    bench.app.meters[0].state = OK
    assert bench.upgrade.step(0)
    bench.close()


def test_what_boot_noted_is_told_once_and_what_failed_is_removed():
    bench = Bench(["a", "-", 0, 0, 0, "rolled back from b: it hung"])
    bench.put("b", NEW)
    bench.upgrade.start("watchdog", 1)
    assert bench.app.events == [("boot", "rolled back from b: it hung")]
    assert bench.slots.state[5] == "" and bench.slots.size("b") == 0
    bench.close()
    bench = Bench(settings=["a", "-", 0, 0, 0, "rolled back from b: meters[0]: is wrong"])
    bench.upgrade.start("soft", 1)
    assert bench.app.events == [("settings", "rolled back from b: meters[0]: is wrong")]
    bench.close()


def test_a_trial_is_judged_each_second_by_what_the_gateway_does():
    bench = Bench()
    bench.put("b", NEW)
    bench.start(["a", "b", 2, 0, 0, "meters 2"], running="b")
    bench.app.uptime_ms = 5000  # of a boot that was slow
    bench.upgrade.start("soft", 10)
    assert bench.upgrade.report() == {"trial": "settling", "of": "update"}
    bench.app.uptime_ms = 64999
    bench.app.acked = 10
    bench.app.errors = 6
    assert not bench.upgrade.step(0)
    assert bench.upgrade.report()["trial"] == "settling"
    bench.app.errors = 0
    assert not bench.upgrade.step(0) and bench.upgrade.report()
    bench.app.uptime_ms = 65000
    bench.app.errors = 6
    assert not bench.upgrade.step(0) and bench.upgrade.report()["trial"] == "6 errors"
    bench.app.errors = 0
    bench.app.uptime_ms = 65999
    assert not bench.upgrade.step(0) and bench.upgrade.report()["trial"] == "6 errors"
    bench.app.uptime_ms = 66000
    bench.app.errors = 0
    bench.app.meters[0].failures = bench.app.meters[1].failures = 1
    assert not bench.upgrade.step(0)
    assert bench.upgrade.report()["trial"] == "0 of 2 meters answer"
    bench.app.uptime_ms += 1000
    bench.app.meters[0].failures = 0
    assert not bench.upgrade.step(0) and bench.upgrade.report() is None
    assert bench.slots.state[:3] == ["b", "-", 0]
    assert bench.app.events == [("update_confirmed", "after 62 s")]
    bench.close()


def test_a_trial_that_fails_restarts_the_gateway_once():
    bench = Bench()
    bench.put("b", NEW)
    bench.start(["a", "b", 2, 0, 550, "meters 2"], running="b")
    bench.upgrade.start("soft", 10)
    bench.app.uptime_ms = 49999
    assert not bench.upgrade.step(0)
    bench.app.uptime_ms = 50000
    assert bench.upgrade.step(0)
    assert bench.slots.state[:3] == ["a", "-", 0] and "nothing" not in bench.slots.state[5]
    assert bench.slots.state[5] == "rolled back from b: settling after 600 s"
    bench.app.uptime_ms = 60000
    assert not bench.upgrade.step(0) and bench.upgrade.report() is None
    bench.close()


def test_a_trial_counts_the_time_before_a_sleep_and_its_errors():
    class Sleep:
        run_s = 30
        errors = 3

    bench = Bench()
    bench.put("b", NEW)
    bench.start(["a", "b", 2, 0, 0, "meters 0"], running="b")
    bench.app.sleep = Sleep()
    bench.upgrade.start("sleep", 10)
    bench.app.acked = 99
    bench.app.uptime_ms = 29000
    assert not bench.upgrade.pause() and bench.upgrade.report()["trial"] == "settling"
    assert bench.slots.state[4] == 29, "what it spent is kept over the sleep"
    bench.app.uptime_ms = 30000
    bench.app.errors = 3
    assert not bench.upgrade.pause() and bench.upgrade.report()["trial"] == "6 errors"
    bench.app.errors = 2
    assert not bench.upgrade.pause() and bench.upgrade.report() is None
    bench.close()
    bench = Bench()
    bench.put("b", NEW)
    bench.start(["a", "b", 2, 0, 599, "meters 0"], running="b")
    bench.upgrade.start("sleep", 10)
    bench.app.uptime_ms = 1000
    assert bench.upgrade.pause(), "the old one is to be started"
    bench.close()


def test_a_firmware_is_tried_before_a_configuration():
    bench = Bench(settings=["b", "a", 1, 0, 0, "meters 0"])
    bench.put("b", NEW)
    bench.settings_state = ["b", "a", 1, 0, 0, "meters 0"]
    bench.start(["a", "b", 2, 0, 0, ""], running="b")
    bench.settings.running = "a"
    bench.upgrade.start("soft", 1)
    assert bench.upgrade.report()["of"] == "update"
    assert bench.upgrade.tries_settings, "it waits for its turn"
    bench.start(["a", "-", 0, 0, 0, ""])
    bench.settings.running = "a"
    bench.upgrade.start("soft", 1)
    assert bench.upgrade.report()["of"] == "settings" and bench.upgrade.tries_settings
    assert refusal(bench.upgrade.configure, {}) == "a trial is under way: settings"
    bench.app.acked = 1
    bench.app.uptime_ms = 61000
    bench.upgrade.step(0)
    assert bench.settings.state[:2] == ["a", "-"], "confirmed; no key is looked at"
    bench.close()


def test_failed_starts_are_forgiven_after_ten_calm_minutes():
    bench = Bench(["a", "-", 0, 2, 0, ""])
    bench.upgrade.start("power", 1)
    bench.app.uptime_ms = 600999
    bench.upgrade.step(0)
    assert bench.slots.state[3] == 2
    bench.app.uptime_ms = 601000
    bench.upgrade.step(0)
    assert bench.slots.state == ["a", "-", 0, 0, 0, ""]
    bench.slots.state[3] = 2
    written = []

    def broken(state):
        written.append(state)
        raise OSError(5)

    bench.slots.write = broken
    bench.upgrade.step(0)
    bench.upgrade.step(0)
    assert len(written) == 1 and bench.slots.state[3] == 0
    bench.close()
    bench = Bench(["b", "-", 0, 2, 0, ""])  # not of what runs
    bench.app.uptime_ms = 700000
    bench.upgrade.step(0)
    assert bench.slots.state[3] == 2
    bench.close()


def test_a_confirmed_firmware_brings_the_next_release_key():
    for offer, keys, after in (
        (NEW, MODULUS, MODULUS),  # it names none
        (NEW[:192] + NEXT_MODULUS + NEW[576:], MODULUS, MODULUS + NEXT_MODULUS),
        (NEW[:192] + NEXT_MODULUS + NEW[576:], MODULUS + NEXT_MODULUS, MODULUS + NEXT_MODULUS),
        (NEW[:192] + MODULUS + NEW[576:], MODULUS, MODULUS),
        (NEW[:192] + NEXT_MODULUS + NEW[576:], MODULUS + OLDER, MODULUS + NEXT_MODULUS),
        # Signed by the second: the first has served its time.
        (OFFER, OLDER + MODULUS, None),
    ):
        bench = Bench()
        bench.put("b", offer)
        bench.ground.slots[KEYS] = keys
        bench.start(["a", "b", 2, 0, 0, "meters 0"], running="b")
        bench.upgrade.start("soft", 1)
        bench.app.acked = 1
        bench.app.uptime_ms = 60000
        writes = bench.ground.writes
        assert not bench.upgrade.step(0)
        assert bench.app.events == [("update_confirmed", "after 60 s")]
        if after is None:
            following = bytes(OFFER[192:576])
            assert bench.ground.slots[KEYS][:384] == MODULUS
            assert bench.ground.slots[KEYS][384:] in (b"", following)
        else:
            assert bench.ground.slots[KEYS] == after
            assert after != keys or bench.ground.writes == writes, "nothing is written for nothing"
        assert bench.upgrade.report() is None, "its memory is free again"
        bench.close()


def test_a_key_that_cannot_be_kept_keeps_the_trial_open():
    bench = Bench()
    bench.put("b", NEW[:192] + NEXT_MODULUS + NEW[576:])
    bench.start(["a", "b", 2, 0, 0, "meters 0"], running="b")
    bench.upgrade.start("soft", 1)
    bench.app.acked = 1
    bench.app.uptime_ms = 60000

    def full(slot, length):
        raise OSError(28)

    bench.ground.begin = full
    assert not bench.upgrade.step(0)
    assert "28" in bench.upgrade.report()["trial"] and bench.slots.state[1] == "b"
    bench.close()


def test_a_configuration_that_is_taken_restarts_the_gateway():
    bench = Bench()
    assert "no configuration came" in refusal(bench.upgrade.configure, {"try": True})
    text = json.dumps({"gateway": "gw", "board": "host", "ports": [], "meters": []})
    assert bench.upgrade.configure({"at": 0, "text": text}) == {"have": len(text)}
    assert bench.app.restarts == []
    assert bench.upgrade.configure({"try": True}) == {"trial": True}
    assert bench.app.restarts == [7]
    bench.slots.state[1] = bench.slots.running
    assert refusal(bench.upgrade.configure, {}) == "a trial is under way: update"
    bench.close()


def test_maintenance_is_noted_for_the_next_start():
    bench = Bench()
    bench.upgrade.ask_maintenance(45)
    with open(bench.root + "/maintenance", "rb") as file:
        assert file.read() == b"45"
    bench.slots.root = bench.root + "/absent"
    assert "it cannot be noted" in refusal(bench.upgrade.ask_maintenance, 45)
    bench.close()
