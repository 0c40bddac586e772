"""Provisioning by cable: all or nothing, in the device's own words, secrets never told again."""

import json
import os
from binascii import a2b_base64, b2a_base64

from agent.settings import Settings
from firmware import provision
from tests.fakes.bundles import NEW

CANARIES = ("ca9a" * 16, "c0de" * 16, "canary-password", "canary-of-the-wifi")
CONFIG = {
    "gateway": "gw-a",
    "board": "host",
    "ports": [{"name": "line", "uart": "uart1"}],
    "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
    "uplink": {"host": "h"},
    "network": {"wifi": [{"ssid": "mairie"}]},
}
SECRETS = {
    "uplink.key": CANARIES[0],
    "privacy.key": CANARIES[1],
    "uplink.password": CANARIES[2],
    "network.wifi.mairie.key": CANARIES[3],
}


class Ground:
    """What stands in for agent/store.Files: no test fills the disk of this computer."""

    scrubs = 0

    def __init__(self, root):
        self.root = root

    def open(self):
        try:
            os.mkdir(self.root)
        except OSError:
            pass  # it is there

    def begin(self, slot, length):
        self.name = slot

    def put(self, data, start, end):
        with open(self.root + "/" + self.name, "wb") as file:
            file.write(data[start:end])

    def commit(self):
        pass

    def scrub(self):
        Ground.scrubs += 1
        return Ground.scrubs % 3 != 0


class Board:
    """A folder as a flash, and what it says to the cable."""

    made = 0

    def __init__(self):
        Board.made += 1
        self.root = "build/provision_%d_%d" % (id(Board), Board.made)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        provision.Files = Ground
        self.said = ""

    def ask(self, call, *args, **named):
        """Return the one line of JSON that a call says."""
        lines = []
        provision.print = lines.append
        try:
            assert call(*args, root=self.root, **named) is None
        finally:
            del provision.print
        assert len(lines) == 1, lines
        self.said += lines[0]
        return json.loads(lines[0])

    def take(self, **order):
        return self.ask(provision.take, json.dumps(order))

    def identity(self):
        return self.ask(provision.identity)

    def runs(self):
        """Return the configuration that the next start runs, None when there is none."""
        return Settings(self.root).choose()

    def files(self, folder=""):
        try:
            return sorted(os.listdir(self.root + folder))
        except OSError:
            return []

    def close(self):
        for folder in ("/certs", "/state", ""):
            for name in self.files(folder):
                try:
                    os.remove("%s%s/%s" % (self.root, folder, name))
                except OSError:
                    pass  # a folder, empty by now
            try:
                os.rmdir(self.root + folder)
            except OSError:
                pass  # it is not there
        for canary in CANARIES:
            assert canary not in self.said


def der(content):
    """Return what looks like a certificate, in base64."""
    data = b"\x30\x82" + len(content).to_bytes(2, "big") + content
    return str(b2a_base64(data), "ascii").strip()


def test_a_bare_board_says_that_it_is_bare():
    board = Board()
    found = board.identity()
    assert not found["provisioned"] and found["api"] == 1 and found["secrets"] == []
    assert (found["gateway"], found["config"], found["key"], found["slots"]) == ("", "", "", [])
    assert found["runtime"].split(" ")[0] in ("cpython", "micropython")
    board.close()


def test_what_is_taken_runs_and_no_call_ever_says_a_secret():
    board = Board()
    answer = board.take(config=CONFIG, secrets=SECRETS)
    assert answer["ok"] and not answer["trial"] and answer["made"] == [], answer
    found = board.identity()
    assert found["provisioned"] and found["gateway"] == "gw-a"
    assert found["secrets"] == sorted(SECRETS) and found["config"] == answer["config"]
    shown = board.ask(provision.settings)
    assert shown["config"] == CONFIG and shown["secrets"] == sorted(SECRETS)
    tree = board.runs()
    assert tree["uplink"]["key"] == CANARIES[0]
    assert tree["network"]["wifi"][0]["key"] == CANARIES[3]
    board.close()


def test_nothing_invalid_is_kept_and_the_problems_are_the_devices():
    board = Board()
    wrong = dict(CONFIG)
    wrong["ports"] = [{"name": "line", "uart": "uart1", "baud": 9601}]
    answer = board.take(config=wrong, secrets=SECRETS)
    assert not answer["ok"]
    assert answer["problems"][0].startswith("ports[0].baud: 9601 is not one of 300")
    assert board.ask(provision.problems, json.dumps(wrong))["problems"] == answer["problems"]
    assert board.ask(provision.problems, json.dumps(CONFIG))["ok"]
    assert board.runs() is None and board.files() == []
    board.close()


def test_a_secret_in_the_configuration_or_without_a_place_is_refused():
    board = Board()
    inside = dict(CONFIG, uplink={"host": "h", "key": CANARIES[0]})
    assert board.take(config=inside)["problems"] == [
        "uplink.key: is a secret: it goes with the secrets"
    ]
    answer = board.take(config=CONFIG, secrets={"network.wifi.school.key": CANARIES[3]})
    assert answer["problems"] == ["secrets: there is no place for network.wifi.school.key"]
    assert board.files() == []
    board.close()


def test_a_problem_never_shows_a_secret():
    board = Board()
    for config, secrets in (
        (dict(CONFIG, uplink={"host": "h"}), {"uplink.key": CANARIES[2]}),
        (dict(CONFIG, network={"wifi": {"ssid": "x"}}), {"network.wifi.key": CANARIES[3]}),
        (dict(CONFIG, uplink=[1]), SECRETS),
        (dict(CONFIG, privacy="x"), SECRETS),
        (
            dict(CONFIG, network={"wifi": [{"ssid": "mairie"}]}),
            {"network.wifi.mairie.key": "short"},
        ),
    ):
        answer = board.take(config=config, secrets=secrets)
        assert not answer["ok"] and answer["problems"], config
    assert "short" not in board.said
    board.close()


def test_nonsense_is_answered_without_a_traceback():
    board = Board()
    for text in ("", "[]", "7", "{", "{}", '{"config": 7}', '{"config": {}, "secrets": [1]}',
                 '{"config": {}, "release_keys": "xx"}', '{"config": {}, "make": 7}',
                 '{"config": {}, "certificates": {"ca": 7}}'):  # fmt: skip
        assert not board.ask(provision.take, text)["ok"], text
    assert board.files() == []
    board.close()


def test_secrets_that_stay_need_not_be_given_again_and_an_empty_one_goes():
    board = Board()
    board.take(config=CONFIG, secrets=SECRETS)
    changed = dict(CONFIG, site="school")
    answer = board.take(config=changed, secrets={"uplink.password": ""})
    assert answer["ok"] and answer["trial"]
    tree = board.runs()
    assert tree["site"] == "school" and tree["uplink"]["key"] == CANARIES[0]
    assert "password" not in tree["uplink"]
    assert board.take(config=CONFIG, trial=False)["trial"] is False
    tree = board.runs()
    assert "site" not in tree and tree["uplink"]["password"] == CANARIES[2]
    board.close()


def test_secrets_of_what_is_no_longer_configured_go_with_it():
    board = Board()
    board.take(config=CONFIG, secrets=SECRETS)
    board.take(config=dict(CONFIG, network={}), trial=False)
    assert "network.wifi.mairie.key" not in board.identity()["secrets"]
    board.close()


def test_keys_are_made_here_once_and_told_once():
    board = Board()
    order = {"config": CONFIG, "make": list(provision.MADE), "tell": ["uplink.key"]}
    first = board.take(**order)
    assert first["ok"] and first["made"] == sorted(provision.MADE)
    assert list(first["told"]) == ["uplink.key"]
    tree = board.runs()
    assert first["told"]["uplink.key"] == tree["uplink"]["key"] != tree["privacy"]["key"]
    assert len(bytes.fromhex(tree["privacy"]["key"])) == 32
    second = board.take(**order)
    assert second["made"] == [] and second["told"] == {}
    assert board.runs()["uplink"]["key"] == tree["uplink"]["key"]
    answer = board.take(config=CONFIG, make=["uplink.password"])
    assert "uplink.password is not one of" in answer["problems"][0]
    board.close()


def test_the_certificate_is_for_the_key_that_this_board_made():
    board = Board()
    assert (
        "no key yet" in board.take(config=CONFIG, certificates={"cert": der(b"x")})["problems"][0]
    )
    first = board.ask(provision.request, "gw-a", "00ff")
    assert first["made"] and b"gw-a" in a2b_base64(first["request"])
    again = board.ask(provision.request, "gw-b")
    assert not again["made"] and again["key"] == first["key"] == board.identity()["key"]
    foreign = board.take(config=CONFIG, certificates={"cert": der(b"x" * 300)})
    assert "another key" in foreign["problems"][0]
    point = provision._own_key(board.root)[1]
    answer = board.take(
        config=dict(CONFIG, uplink={"host": "h", "tls": True}),
        certificates={"ca": der(b"authority"), "cert": der(b"for " + point)},
    )
    assert answer["ok"], answer
    uplink = board.runs()["uplink"]
    assert uplink["cert_key"] == provision.KEY_FILE
    names = [uplink[part][len("certs/") :] for part in ("ca", "cert")] + ["own.key"]
    assert board.files("/certs") == sorted(names)
    board.close()


def test_what_is_no_certificate_and_no_release_key_is_refused():
    board = Board()
    for more in (
        {"certificates": {"ca": "AAAA"}},
        {"certificates": {"root": der(b"x")}},
        {"release_keys": "00" * 383},
    ):
        answer = board.take(config=CONFIG, **more)
        assert not answer["ok"] and len(answer["problems"]) == 1, answer
    assert board.runs() is None
    assert board.take(config=CONFIG, release_keys="ab" * 384)["ok"]
    with open(board.root + "/state/keys", "rb") as file:
        assert file.read() == b"\xab" * 384
    board.close()


def test_a_damaged_key_file_is_named_not_used_and_made_anew():
    board = Board()
    for content, note in ((b"rot", "certs/own.key: no private key of ours"), (b"", "")):
        first = board.ask(provision.request, "gw-a")
        with open(board.root + "/" + provision.KEY_FILE, "wb") as file:
            file.write(content)  # b"": what a power cut leaves while the first one is made
        assert board.identity()["note"] == note and board.identity()["key"] == ""
        answer = board.take(config=CONFIG, certificates={"cert": der(b"x" * 300)})
        assert "no key yet" in answer["problems"][0], answer
        second = board.ask(provision.request, "gw-a")
        assert second["made"] and second["key"] != first["key"]
    board.close()


def test_it_says_which_firmware_is_in_the_slots():
    board = Board()
    with open(board.root + "/b", "wb") as file:
        file.write(NEW)
    assert board.identity()["slots"] == [
        {"slot": "b", "counter": 2, "version": "2.0", "boards": ["host"]}
    ]
    board.close()


def test_forgetting_leaves_a_bare_board_and_overwrites_what_was_freed():
    board = Board()
    board.ask(provision.request, "gw-a")
    board.take(config=CONFIG, secrets=SECRETS, release_keys="ab" * 384)
    os.mkdir(board.root + "/journal")
    os.mkdir(board.root + "/journal/segments")
    with open(board.root + "/journal/segments/00000001", "wb") as file:
        file.write(b"readings")
    Ground.scrubs = 0
    assert board.ask(provision.forget)["ok"] and Ground.scrubs == 3
    assert not board.identity()["provisioned"] and board.identity()["key"] == ""
    assert board.files("/certs") == board.files("/state") == []
    assert board.files("/journal/segments") == ["00000001"]
    board.ask(provision.forget, journal=True)
    assert board.files() == []
    board.close()
