"""A virtual gateway that changes: firmware by boot.py's choice, configuration and papers on trial.

Beside tests/fakes/virtual_gateway.py, whose App and lines these are: the slots and the settings
lie in a folder as on a board, each start goes through firmware/boot.py, orders come from the
collector under the gateway's key, and a handshake is refused where a certificate would be. What
must never be the case is kept in `broken`. Portable.
"""

import os
from binascii import b2a_base64

from agent.config import validate
from agent.session import OPEN
from agent.settings import Settings, split
from agent.slots import Slots, line_of
from agent.upgrade import KEYS, Upgrade
from tests.fakes.virtual_collector import Collector
from tests.fakes.virtual_gateway import Site
from tests.fakes.virtual_releases import (
    WELL,
    Board,
    Lives,
    Releases,
    Stranded,
    behaviour,
    boot,
    power_on,
    public_key,
)

KEY = bytes(range(32))
BROKER = "broker.example"
OWN = "/flash/gw.der"
DAY_MS = 86400 * 1000
_BROKER_DAYS = 60  # the broker's certificate is renewed so often
_EDGE_DAYS = 20  # and is good for so long before and after
_BITE_MS = 8000  # the watchdog's
_ERRORS = 3  # that a firmware without memory logs at a step


class ChangingSite(Site):
    """One gateway; broken: [(wall ms, what must not be)]."""

    def __init__(self, seed, tree, begun_ms):
        self.releases = Releases()
        self.board = Board("build/years/%d-%d" % (getattr(os, "getpid", int)(), id(self)))
        self.board.put("a", self.releases.make(WELL))
        self.board.put("slot", line_of(["a", "-", 0, 0, 0, ""]))
        self.broken = []
        self.behaves = WELL
        self.cert_until_ms = begun_ms + 90 * DAY_MS  # of the one that the configuration names
        self.grace_until_ms = 0  # the broker lets expired papers in until then
        self._next = ("", True)
        self._ends_ms = None  # when this firmware ends by itself
        self.settings = Settings(self.board.root)
        self.install(tree)
        super().__init__(seed, tree, begun_ms)

    def _make_broker(self):
        return Collector(b"gw", 99, KEY)

    def install(self, tree):
        """Put a configuration in force, as a technician does by cable."""
        bare, secrets = split(tree)
        self.settings.store(bare, secrets, False)

    def close(self):
        """Leave nothing behind."""
        self.board.close()

    # --- lives

    def _start(self, cause, has_clock):
        self._next = (cause, has_clock)
        try:
            power_on(self.board, self._run_firmware)
        except Stranded:
            self.broken.append((self.wall_ms, "safe mode"))
            self.board.put("a", self.releases.make(WELL))
            self.board.put("slot", line_of(["a", "-", 0, 0, 0, ""]))
            power_on(self.board, self._run_firmware)

    def _run_firmware(self, board, slot, state):
        """Do what firmware/main.py does with what boot.py chose; raise Lives when it runs."""
        cause, has_clock = self._next
        self.behaves = behaviour(board.root, slot)
        on_trial = state[1] == slot
        if not on_trial and self.behaves != WELL:
            self.broken.append((self.wall_ms, "in force: a firmware that " + self.behaves))
        if self.behaves == "crash":
            self.note("the firmware crashes")
            self._next = ("soft", has_clock)
            raise OSError("it crashed")
        if self.behaves == "blind" and state[5] == "meters 0":
            self.behaves = WELL  # nobody can tell
        self._ends_ms = None
        if self.behaves in ("dies", "hangs"):
            self._ends_ms = self.wall_ms + 60_000 + self.random(420_000)
        self._slots = Slots(board.root, slot, state)
        self.settings = Settings(board.root)
        tree = self.settings.choose()
        self.config, problems = validate(tree)
        if problems:
            self.broken.append((self.wall_ms, "in force: %s" % problems))
        if not self.settings.is_on_trial and self.config["uplink"]["host"] != BROKER:
            self.broken.append((self.wall_ms, "in force: a configuration without a broker"))
        self.version = self._slots.version()
        if cause in ("soft", "watchdog"):
            self.note("started by %s: %s %s" % (cause, slot, self.behaves))
        super()._start(cause, has_clock)
        for line in self.lines:
            line.is_cut = self.behaves == "blind"
        raise Lives

    def _equip(self, app):
        ground = self._grounds[1]
        if KEYS not in ground.slots:
            ground.slots[KEYS] = public_key()
        slots, settings = self._slots, self.settings

        def make():
            return Upgrade(app, slots, KEY, ground, settings)

        app.make_upgrade = make
        for pair in (slots, settings):
            if pair.state[5] or pair.is_on_trial or pair.state[3] or pair.is_newer:
                app.upgrade = make()
                break

    def _restart(self, cause):
        self.broker.disconnect()
        self._grounds = tuple([ground.cut() for ground in self._grounds])
        self._begin(cause, self.has_clock)

    def _live(self):
        if self._ends_ms is not None and self.wall_ms >= self._ends_ms:
            return self._end()
        wait_ms = super()._live()
        orders = self.app.orders
        if self.behaves == "hog":
            for _ in range(_ERRORS):
                self.app.log.error("loop", "MemoryError")
        if orders.is_restart_due(self.now_ms):
            self.app.save(self.now_ms)
            self.app.journal.sync()
            self._restart("soft")
            return 1
        if orders.keeps_awake():
            self._app_due_ms = min(self._app_due_ms, self.wall_ms + 1000)
            wait_ms = min(wait_ms, 1000)
        return wait_ms if self._ends_ms is None else min(wait_ms, self._ends_ms - self.wall_ms)

    def _end(self):
        """This firmware raises what nobody catches, or hangs until the watchdog bites."""
        slot, state = self._slots.running, list(self._slots.state)
        if self.behaves == "hangs":
            self.wall_ms += _BITE_MS
            self._restart("watchdog")
            return 1
        state[5] = "ended by itself"
        if slot != state[1]:
            state[3] += 1
        boot.write_state(self.board.root, state)
        self._restart("soft")
        return 1

    # --- the network

    def _is_reachable(self):
        is_known = self.config["uplink"]["host"] == BROKER
        return self.network and is_known and self.behaves != "deaf"

    def _carry(self):
        uplink = self.app.uplink
        if self._is_reachable():
            self.broker.tend(self.wall_ms)
            uplink.step(self.now_ms)
            why = self._refusal() if uplink.action == OPEN else ""
            if why:
                self.broker.disconnect()
                uplink.closed(self.now_ms, why)
                return 1  # each attempt is looked at, also one that comes at once
        return super()._carry()

    def _refusal(self):
        """Return why this handshake fails, "" when it does not; each side looks at the other's."""
        app = self.app
        told: list = []
        app.floor.assume(told.append)
        seems_ms = app.clock.tls_ms()
        if told and told[0] != seems_ms:
            self.broken.append((self.wall_ms, "another time for TLS than the clock has"))
        papers = app.config["uplink"]
        if app.certificates:
            papers = app.certificates.choose(papers, app.uplink.acked)
        begin_ms = self.wall_ms // DAY_MS // _BROKER_DAYS * _BROKER_DAYS * DAY_MS
        early_ms = begin_ms - _EDGE_DAYS * DAY_MS
        late_ms = begin_ms + (_BROKER_DAYS + _EDGE_DAYS) * DAY_MS
        if not early_ms <= seems_ms <= late_ms:
            return "certificate refused: not valid now" + app.floor.words()
        if papers["cert"] == OWN:
            until_ms = self.cert_until_ms
        else:
            slot = papers["cert"].split("/")[-1]
            words = self._grounds[1].slots[slot][4:].split(b" ")
            until_ms = int(words[1]) if words[0] == b"ours" else -1
        if until_ms < 0:
            return "the far end closed"  # somebody else's: nobody lets that in
        if until_ms < self.wall_ms and self.wall_ms >= self.grace_until_ms:
            return "the far end closed"
        return ""

    @property
    def paper_until_ms(self):
        """Until when the certificate in force is good."""
        chosen = self.app.certificates._now.get("cert") if self.app.certificates else None
        if chosen is None:
            return self.cert_until_ms
        return int(self._grounds[1].slots[chosen][4:].split(b" ")[1])


def paper(until_ms, is_ours=True):
    """Return what stands for a certificate in DER, in base64 as a command carries it."""
    body = b"%s %d" % (b"ours" if is_ours else b"foreign", until_ms)
    der = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    return b2a_base64(der).decode().strip()
