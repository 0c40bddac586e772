# heap: 1m
"""A firmware over HTTPS by ranges: cut in the middle, resumed, never made by the web server."""

import os

from agent.mac import Mac
from agent.orders import CannotDo
from agent.poster import Poster
from agent.slots import Slots
from agent.update import Updater
from tests.fakes.broker import pump
from tests.fakes.bundles import KEY, NEW, OLD, make_bundle
from tests.fakes.journal import MemoryJournal
from tests.fakes.web_collector import WebCollector
from tests.vectors.release import MODULUS

IDENTITY = {"gateway": "gw", "board": "host", "version": "1", "runtime": "x", "boot": 7}


class World:
    """A gateway with its slots in a folder, its poster, and a web server."""

    def __init__(self, key=KEY, bundle=NEW):
        self.root = "build/fetch_%d" % id(self)
        for folder in ("build", self.root):
            try:
                os.mkdir(folder)
            except OSError:
                pass  # it is there
        with open(self.root + "/a", "wb") as file:
            file.write(OLD)
        self.web = WebCollector(tag=lambda ack: Mac(KEY).tag(b"ackgw", ack))
        self.web.key = key
        self.web.bundle = bundle
        self.now_ms = 0
        self.why = []
        self.start()

    def start(self):
        """Begin a life: what is on the flash is there."""
        self.slots = Slots(self.root, "a", ["a", "-", 0, 0, 0, ""])
        self.slots.free = lambda: 1 << 20
        self.journal = MemoryJournal()
        settings = {"host": "collector.example", "key": KEY.hex()}
        self.poster = Poster(settings, self.journal, IDENTITY, lambda n: n - 1)
        self.poster.birth = lambda: b"{}"
        self.updater = Updater(
            self.slots,
            MODULUS,
            "host",
            self.poster.mac,
            b"chunkgw",
            self.poster.publish_want,
            lambda: 3,
        )
        self.updater.signer = lambda offer: 1
        self.poster.on_command = lambda piece: self.updater.take(piece, self.now_ms)
        self.poster.on_offer = self.offered
        self.offers = 0
        self.web.disconnect()
        self.updater.resume()

    def offered(self, offer):
        self.offers += 1
        try:
            self.updater.offer(offer)
        except CannotDo as error:
            self.why.append(str(error))

    def live(self, seconds):
        """Let so much time pass, or until the firmware is ready."""
        for _ in range(4 * seconds):
            if self.updater.is_ready:
                return
            self.now_ms += 250
            self.updater.step(self.now_ms)
            pump(self.poster, self.web, self.now_ms)

    def got(self):
        with open(self.root + "/b", "rb") as file:
            return file.read()

    def close(self):
        for name in os.listdir(self.root):
            os.remove(self.root + "/" + name)
        os.rmdir(self.root)


def test_a_firmware_is_fetched_by_ranges_and_what_runs_is_not_fetched_again():
    world = World()
    world.live(60)
    assert world.updater.is_ready and world.got() == NEW
    assert world.web.ranges[0] == (0, 959)
    for first, last in world.web.ranges:
        assert last - first < 2048
    assert world.updater.copied == 5000 and world.updater.refused == 0
    assert world.slots.state[:2] == ["a", "b"]
    world.close()


def test_cuts_in_the_middle_of_a_range_and_restarts_go_on_at_the_same_byte():
    world = World()
    fetched = 0
    for turn in range(40):
        if world.updater.is_ready:
            break
        world.web.cut_after = (turn * 397) % 2200
        world.live(15)
        if turn % 3 == 2 and not world.updater.is_ready:
            fetched += world.updater.fetched
            held = world.slots.size("b")
            world.start()
            assert world.slots.size("b") == held
    assert world.updater.is_ready and world.got() == NEW and turn > 3
    assert fetched + world.updater.fetched == len(NEW) - 960 - 5000, "no byte twice"
    world.close()


def test_a_web_server_without_the_gateways_key_brings_nothing_in():
    world = World(key=bytes(32))
    world.live(60)
    assert world.offers == 0 and world.slots.size("b") == 0
    world.web.key = KEY

    def offered(offer):
        world.offered(offer)
        world.web.key = bytes(32)  # and now it is another's

    world.poster.on_offer = offered
    world.live(22_000)  # it is asked again after six hours
    assert world.offers == 1
    assert world.updater.refused > 0 and not world.updater.is_ready
    world.close()


def test_other_bytes_than_those_that_were_signed_are_found_at_last():
    wrong = NEW[:-1] + bytes((NEW[-1] ^ 1,))
    world = World(bundle=wrong)
    world.live(60)
    assert not world.updater.is_ready and world.updater.is_idle
    assert "not what was signed" in world.updater.why and world.slots.size("b") == 0
    world.close()


def test_an_older_one_is_refused_before_a_byte_is_fetched():
    world = World(bundle=make_bundle(((b"agent/a.mpy", b"x"),), 1))
    world.live(60)
    assert world.why == ["its counter 1 is not above 1"] and world.web.ranges == [(0, 959)]
    world.close()


def test_nothing_is_asked_where_there_is_none_and_readings_go_first():
    world = World(bundle=b"")
    world.journal.fill(40, 500)
    world.live(60)
    assert world.journal.acked == 40 and world.web.ranges == [(0, 959)]
    assert world.poster.state == "offline: idle"
    world.close()


def test_a_bundle_that_was_taken_away_is_asked_for_ever_more_rarely():
    world = World()

    def offered(offer):
        world.offered(offer)
        world.web.bundle = b""

    world.poster.on_offer = offered
    world.live(300)
    assert world.offers == 1 and 4 <= len(world.web.ranges) <= 8, world.web.ranges
    world.web.bundle = NEW
    world.live(700)
    assert world.updater.is_ready and world.got() == NEW
    world.close()


def test_an_offer_is_asked_for_at_once_then_every_six_hours():
    from agent.fetch import Fetch

    class Session:
        pass

    fetch = Fetch("gw", "collector.example", Session())
    out = bytearray(400)
    assert not fetch.is_asking and fetch.is_due(0)
    length = fetch.put(out, 1000)
    assert b"GET /v1/bundle/gw " in bytes(out[:length])
    assert b"bytes=0-959\r\n" in bytes(out[:length]) and fetch.is_asking
    fetch.answered(404, b"", b"", 0, 0)
    assert not fetch.is_asking
    at = 1000 + 6 * 3600 * 1000
    assert not fetch.is_due(at - 1) and fetch.put(out, at - 1) == 0 and not fetch.is_asking
    assert fetch.is_due(at) and fetch.put(out, at) > 0


def test_a_piece_is_asked_for_from_where_it_is_wanted():
    from agent.fetch import Fetch

    class Session:
        def __init__(self):
            self.taken = []
            self.on_command = self.taken.append

    session = Session()
    fetch = Fetch("gw", "collector.example", session)
    out = bytearray(400)
    fetch.put(out, 0)
    fetch.answered(404, b"", b"", 0, 0)
    fetch.want(b'{"something": 1}')
    assert not fetch.is_due(1)
    fetch.want(b'{"want": "01020304", "at": 5000, "bytes": 2049}')
    length = fetch.put(out, 1)
    assert b"bytes=5000-7047\r\n" in bytes(out[:length])
    fetch.answered(206, bytes(16), b"..abc", 2, 5)
    assert session.taken == [
        b"\x01\x01\x02\x03\x04" + (5000).to_bytes(4, "big") + b"abc" + bytes(16)
    ]
    length = fetch.put(out, 2)
    assert b"bytes=5003-7048\r\n" in bytes(out[:length]), "from what is there on"
    for status, tag, end in ((200, bytes(16), 3), (206, bytes(15), 3), (206, bytes(16), 0)):
        fetch.want(b'{"want": "01020304", "at": 960, "bytes": 100}')
        assert fetch.put(out, 3) > 0
        fetch.answered(status, tag, b"abc", 0, end)
        assert not fetch.is_due(4) and len(session.taken) == 1, "it asks again by itself"


def test_an_offer_is_taken_only_whole_and_from_whoever_has_the_key():
    from agent.fetch import Fetch

    class Session:
        def __init__(self):
            self.offers = []
            self.on_offer = self.offers.append
            self.is_true = False

        def is_own(self, piece):
            self.piece = piece
            return self.is_true

    session = Session()
    fetch = Fetch("gw", "collector.example", session)
    out = bytearray(400)
    body = bytes(range(240)) * 4
    for is_true, data, taken in ((False, body, 0), (True, body[:959], 0), (True, body, 1)):
        session.is_true = is_true
        fetch.put(out, 0)
        fetch.answered(206, b"t" * 16, data, 0, len(data))
        assert len(session.offers) == taken
    assert session.offers == [body]
    assert session.piece == b"\x01" + body[52:56] + bytes(4) + body + b"t" * 16
