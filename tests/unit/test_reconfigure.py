"""A configuration by command: in pieces, by the device's rules, never over the one in force."""

import json
import sys

from agent.commands import CannotDo
from agent.reconfigure import Reconfigure
from tests.unit.test_settings import Place

CONFIG = {"gateway": "gw", "board": "host", "ports": [], "meters": [], "uplink": {"host": "h"}}
KEY = "ca9a" * 16


class Bench:
    """A gateway that runs CONFIG."""

    def __init__(self, tls=False):
        self.place = Place()
        self.place.files.store(CONFIG, {"uplink.key": KEY}, False)
        self.place.files.choose()
        self.identity = {"gateway": "gw", "board": "host"}
        self.config = {"uplink": {"tls": tls}}
        self.notes = []
        self.now = Reconfigure(self, self.place.files)

    def note_event(self, what, why):
        self.notes.append(what)

    def order(self, **args):
        """Return the answer, or the lines of the refusal."""
        try:
            return self.now.order(args)
        except CannotDo as error:
            assert KEY not in str(error)
            return str(error).split("\n")

    def send(self, config, piece=40, **more):
        text = json.dumps(config)
        for at in range(0, len(text), piece):
            answer = self.order(at=at, text=text[at : at + piece])
            assert answer == {"have": min(at + piece, len(text))}, answer
        more["try"] = True
        return self.order(**more)

    def next(self):
        self.place.files = type(self.place.files)(self.place.root)
        return self.place.files.choose()


def test_a_good_one_runs_on_trial_with_the_secrets_that_were_there():
    bench = Bench()
    assert bench.send(dict(CONFIG, site="school")) == {"trial": True}
    assert bench.notes == ["configured"]
    tree = bench.next()
    assert tree["site"] == "school" and tree["uplink"]["key"] == KEY
    assert bench.place.files.is_on_trial
    bench.place.close()


def test_the_problems_are_the_devices_and_nothing_is_kept():
    bench = Bench()
    wrong = dict(CONFIG, site=7, log={"level": "loud"})
    assert bench.send(wrong) == [
        "site: 7 is not a text",
        "log.level: 'loud' is not one of debug, info, warn, error",
    ]
    assert "agent.config" not in sys.modules  # its RAM is free again
    assert bench.send(dict(CONFIG, gateway="other")) == ["gateway: this is gw"]
    assert bench.send(dict(CONFIG, board="rpi_pico_w")) == ["board: this is host"]
    inside = dict(CONFIG, uplink={"host": "h", "key": KEY})
    assert bench.send(inside) == ["uplink.key: is a secret: it goes with the secrets"]
    assert "site" not in bench.next() and bench.notes == []
    bench.place.close()


def test_pieces_are_taken_in_order_only():
    bench = Bench()
    assert bench.order(at=5, text="x") == ["at: 5, there are 0 bytes so far"]
    assert bench.order(at=0, text="{") == {"have": 1}
    assert bench.order(at=2, text="}") == ["at: 2, there are 1 bytes so far"]
    assert bench.order(at=0, text="{") == {"have": 1}
    for args in ({"at": "0", "text": "x"}, {"at": 0}, {"at": 0, "text": 7}, {}):
        assert "are wanted" in bench.order(**args)[0]
    assert bench.order(at=0, text="x" * 20000) == ["text: more than 16384 bytes"]
    args = {"try": True}
    assert bench.order(**args) == ["text: is no JSON"]
    assert "site" not in bench.next()
    bench.place.close()


def test_without_a_configuration_there_is_nothing_to_try():
    args = {"try": True}
    bench = Bench()
    assert bench.order(**args) == ["no configuration came since the start"]
    bench.place.close()


def test_secrets_change_under_tls_only():
    secrets = {"uplink.password": "canary"}
    bench = Bench()
    assert bench.send(CONFIG, secrets=secrets) == ["secrets: only under TLS"]
    bench.place.close()
    bench = Bench(tls=True)
    assert bench.send(CONFIG, secrets=secrets) == {"trial": True}
    tree = bench.next()
    assert tree["uplink"]["password"] == "canary" and tree["uplink"]["key"] == KEY
    bench.place.close()


def test_a_flash_that_cannot_be_written_and_a_full_heap_are_answered():
    bench = Bench()

    def full(data, is_first):
        raise OSError(28)

    bench.place.files.stage = full
    assert bench.order(at=0, text="{}")[0].startswith("it cannot be kept: ")

    def hog(data, is_first):
        raise MemoryError

    bench.place.files.stage = hog
    assert bench.order(at=0, text="{}") == ["there is no memory to check it"]
    bench.place.close()
