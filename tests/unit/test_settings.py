"""Configuration and secrets on the flash: whole pairs only, trials counted, the last good kept."""

import os
from binascii import crc32

from agent import settings as settings_
from agent.settings import Settings, merge, split
from agent.slots import line_of, read_line

TREE = {
    "gateway": "gw",
    "uplink": {"host": "h", "key": "K1", "password": "P1"},
    "privacy": {"key": "K2"},
    "network": {"wifi": [{"ssid": "mairie", "key": "W1"}, {"ssid": "open"}]},
    "meters": [{"name": "m", "options": {"unit": 1, "key": "D1", "auth_key": "D2"}}, 7],
    "ports": [],
}
SECRETS = {
    "uplink.key": "K1",
    "uplink.password": "P1",
    "privacy.key": "K2",
    "network.wifi.mairie.key": "W1",
    "meters.m.options.key": "D1",
    "meters.m.options.auth_key": "D2",
}
NOTES = "rolled back from b: "


class Place:
    """A folder as a flash."""

    made = 0

    def __init__(self):
        Place.made += 1
        self.root = "build/settings_%d_%d" % (id(Place), Place.made)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        self.files = Settings(self.root)

    def get(self, name):
        with open(self.root + name, "rb") as file:
            return file.read()

    def put(self, name, data):
        with open(self.root + name, "wb") as file:
            file.write(data)

    def start(self):
        """Return (gateway's name, pair) as the next start finds them."""
        self.files = Settings(self.root)
        tree = self.files.choose()
        return (tree["gateway"] if tree else None, self.files.running)

    def store(self, name, on_trial=True):
        self.files.store({"gateway": name}, {"uplink.key": "of " + name}, on_trial)

    def close(self):
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)


def test_secrets_leave_a_tree_by_their_paths_and_come_back():
    bare, secrets = split(TREE)
    assert secrets == SECRETS
    for value in SECRETS.values():
        assert value not in repr(bare)
    assert TREE["uplink"]["key"] == "K1"  # split changes nothing
    assert merge(bare, secrets) == TREE


def test_a_secret_finds_a_section_that_is_not_written():
    assert merge({}, {"uplink.key": "x", "privacy.key": "y"}) == {
        "uplink": {"key": "x"},
        "privacy": {"key": "y"},
    }
    assert merge({"network": {}}, {"network.wifi.gone.key": "x"}) == {"network": {}}
    for tree in ([], None, "x", 7):
        assert merge(tree, {"uplink.key": "x"}) == tree


def test_without_anything_there_is_nothing_to_run_and_it_says_so():
    place = Place()
    assert place.start() == (None, "")
    assert place.files.why == "there is no configuration"
    place.close()


def test_the_first_configuration_is_in_force_at_once_and_secrets_are_apart():
    place = Place()
    place.store("one")
    assert place.start() == ("one", "b") and not place.files.is_on_trial
    assert b"of one" not in place.get("/config-b.json")
    assert place.files.stored("b")[1:] == ({"gateway": "one"}, {"uplink.key": "of one"})
    assert place.files.stored("a") == (b"", {}, {})
    place.close()


def test_a_second_one_is_on_trial_and_the_first_returns_after_two_starts():
    place = Place()
    place.store("one")
    place.store("two")
    for _ in range(Settings.TRIES):
        assert place.start() == ("two", "a") and place.files.is_on_trial
    assert place.start() == ("one", "b") and not place.files.is_on_trial
    assert place.files.state[5] == "rolled back from a: no tries left"
    assert place.start() == ("one", "b")
    place.files.remove(place.files.target)
    assert place.files.stored("a") == (b"", {}, {})
    place.close()


def test_what_does_not_read_back_is_never_put_in_force():
    place = Place()
    place.store("one")

    class Forgetful(Settings):
        def number(self, which):
            return super().number(which) if which == "b" else 0

    for on_trial in (True, False):
        try:
            Forgetful(place.root).store({"gateway": "two"}, {}, on_trial)
        except OSError:
            pass
        else:
            raise AssertionError(on_trial)
        assert place.start() == ("one", "b") and place.files.state[5] == ""
    place.close()


def test_a_technician_may_put_one_in_force_without_a_trial():
    place = Place()
    place.store("one")
    place.store("two", on_trial=False)
    assert place.start() == ("two", "a") and not place.files.is_on_trial
    place.close()


def test_a_trial_that_was_confirmed_is_not_overwritten_by_the_next():
    place = Place()
    place.store("one")
    place.store("two")
    assert place.start() == ("two", "a")
    running = place.files
    running.write(["a", "-", 0, 0, 0, ""])  # as agent/trial.py confirms it
    running.stage(b'{"gateway": "three"}', True)
    assert running.staged() == {"gateway": "three"}
    assert place.start() == ("two", "a")
    running.stage(b"no JSON", True)
    running.stage(b" at all", False)
    assert running.staged() is None
    assert place.start() == ("two", "a")
    place.close()


def test_a_new_one_replaces_what_is_on_trial_never_what_is_in_force():
    place = Place()
    place.store("one")
    place.store("two")
    assert place.start() == ("two", "a")
    place.store("three")
    assert place.start() == ("three", "a")
    place.files.roll_back("it says so")
    assert place.start() == ("one", "b")
    place.close()


def test_a_pair_of_two_halves_is_not_whole():
    place = Place()
    place.store("one")
    place.store("two")
    whole = place.get("/config-a.json"), place.get("/secrets-a.json")
    place.put("/config-a.json", place.get("/config-b.json"))
    assert place.start() == ("one", "b")
    assert place.files.state[5] == "rolled back from a: the configuration is damaged"
    place.store("two")
    for name, data in (("/config-a.json", whole[0]), ("/secrets-a.json", whole[1])):
        for wrong in (
            b"",
            data[:-1],
            data + b" ",
            b"\xff" + data[1:],
            data.replace(b"two", b"twa"),
        ):
            place.store("two")
            place.put(name, wrong)
            assert place.start() == ("one", "b"), wrong
    place.close()


def test_a_pair_in_force_that_rots_gives_way_to_the_one_before():
    place = Place()
    place.store("one")
    place.store("two", on_trial=False)
    place.put("/config-a.json", b"{}")
    assert place.start() == ("one", "b")
    assert place.files.state == [
        "b",
        "-",
        0,
        0,
        0,
        "rolled back from a: the configuration is damaged",
    ]
    place.store("three")  # takes the place of the damaged one
    assert place.start() == ("three", "a")
    place.close()


def test_an_unreadable_switch_falls_to_the_newest_whole_pair():
    place = Place()
    place.store("one")
    place.store("two", on_trial=False)
    for wrong in (b"", b"a - 0 0 0 ", line_of(["b", "-", 0, 0, 0, ""])[:-1], b"\xff\xfe\n00"):
        place.put("/settings", wrong)
        assert place.start() == ("two", "a"), wrong
        assert place.files.state[5] == "/settings was unreadable"
    os.remove(place.root + "/settings")
    assert place.start() == ("two", "a")
    place.close()


def test_a_trial_whose_start_cannot_be_counted_does_not_run():
    place = Place()
    place.store("one")
    place.store("two")

    class Stuck(Settings):
        def write(self, state):
            raise OSError(30)

    files = Stuck(place.root)
    assert files.choose()["gateway"] == "one"
    assert files.running == "b" and "cannot be counted" in files.state[5]
    assert place.start() == ("two", "a")
    place.close()


def test_numbers_grow_and_content_that_is_no_json_is_no_configuration():
    place = Place()
    place.store("one")
    place.store("two", on_trial=False)
    assert (place.files.number("b"), place.files.number("a")) == (1, 2)
    place.put("/config-a.json", b"not json")
    _, body = settings_.pack({}, {}, 3)
    place.put("/secrets-a.json", body)
    assert place.start() == ("one", "b")
    body = b"{}\n3 %08x" % settings_._crc(b"not json", b"{}")
    place.put("/config-a.json", b"not json")
    place.put("/secrets-a.json", body)
    place.files.write(["a", "-", 0, 0, 0, ""])
    assert place.start() == ("one", "b")
    place.close()


def test_a_line_that_makes_no_sense_is_none_even_with_its_crc():
    for text in (b"", b"a", b"a - 0 0 0", b"c - 0 0 0 ", b"a a 1 0 0 ", b"a x 0 0 0 ",
                 b"a - -1 0 0 ", b"a - 0 -1 0 ", b"a - x 0 0 ", b"\xff - 0 0 0 "):  # fmt: skip
        assert read_line(text + b"\n%08x" % (crc32(text) & 0xFFFFFFFF)) is None, text
    state = ["a", "b", 1, 2, 3, "why not"]
    assert read_line(line_of(state)) == state
    assert read_line(line_of(state)[:-1]) is None
