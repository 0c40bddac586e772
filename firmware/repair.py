"""Safe mode with a network: fetch a signed firmware, and nothing else. In /repair only.

boot.py runs it when no firmware can (`eclor deploy --repair` puts it there; it is never updated
over the air). It joins the network of the configuration, as the gateway that it is, takes the
one command `update`, and writes one slot: signed by a release key, not older than what lies in
the slots, piece by piece under the gateway's own key, read back and hashed; then the board starts
with it on trial. It opens no port, reads no meter, and neither opens nor writes the journal.

Not here: what a firmware must be (agent/update.py) and who may order one (agent/commands.py).
"""

import asyncio
import json
from struct import unpack_from

from agent.clock import Clock
from agent.floor import Floor
from agent.keys import Keys
from agent.log import Log
from agent.names import Names
from agent.orders import CannotDo, Orders
from agent.settings import Settings
from agent.slots import Slots, read_line
from agent.store import Files
from agent.update import OFFER_BYTES, Updater
from agent.uplink import Uplink
from firmware import carrier
from firmware import hal as hal_
from firmware.link import Link

_AGAIN_S = 3600  # then boot.py tries everything once more, as in safe mode without a network
_SAY_MS = 10_000
_STEP_MS = 50
_WATCHDOG_MS = 8000
_RELEASE_KEYS = 768
_KEY = 384


def start(platform, wrong, inspect):
    """Wait an hour for a firmware; return why that cannot be. wrong: what is broken, in words.

    platform: what boot.py runs on; inspect: boot.py's
    """
    config, why = _configured(platform.root)
    if config is None:
        return why
    board = __import__("boards." + config["board"], None, None, ("BOARD",)).BOARD
    hal = hal_.make(platform, board)
    asyncio.run(_main(Repair(platform, config, hal, wrong, inspect), hal))
    _forgive(platform.root)
    hal.reset()
    return "nobody has sent a firmware"


def _forgive(root):
    """Let the next start try what failed: boot.py's safe mode does the same."""
    slots = Slots(root, "", [])
    try:
        state = read_line(slots.read("slot", 0, 400))
        if state:
            slots.write(state[:3] + [0] + state[4:])
    except OSError:
        pass  # what is not whole needs no forgiveness


def _configured(root):
    """Return (what the network needs of the configuration in force, ""), or (None, why)."""
    settings = Settings(root)
    settings.look()
    for which in (settings.state[0], "b" if settings.state[0] == "a" else "a"):
        tree = settings.load(which)
        if tree is not None:
            break
    else:
        return None, settings.why
    from agent.config import validate

    tree.update({"ports": [], "meters": []})  # whose drivers are not here
    config, problems = validate(tree)
    if problems:
        return None, problems[0]
    if config["uplink"]["kind"] != "mqtt" or not config["uplink"]["key"]:
        return None, "it needs uplink.kind mqtt and uplink.key"
    return config, ""


class _NoJournal:
    """What the session asks of a journal: it is neither read nor written here."""

    acked = durable = journal_id = 0
    next = first = 1

    def read_from(self, seq, out):
        """There is nothing to send."""
        return 0, 0

    def trim_through(self, journal_id, seq):
        """Nothing is forgotten."""


class _Upstream(Uplink):
    """A session without a birth: the collector learns nothing of a journal."""

    def _welcome(self):
        self._todo.append(self._put_online)


class _Orders(Orders):
    """Whose one command is `update`."""

    def table(self):
        return {"update": self.app.update}


class _Broken(Slots):
    """Slots of which none runs. goal: which is written."""

    goal = "a"

    @property
    def target(self):
        """Where the next one goes."""
        return self.goal


class Repair:
    """What carrier.py, link.py and the clock's task want of an App, and no more."""

    sleep = certificates = timekeeper = None

    def __init__(self, platform, config, hal, wrong, inspect):
        self.config = config
        self.log = Log(8, sink=print)
        self.wrong = wrong
        self.identity = {"gateway": config["gateway"], "board": config["board"]}
        self.clock = Clock(boot=hal.random(1 << 32))
        self.now_ms = hal.ticks_ms()
        self.clock.tick(self.now_ms)
        files = Files(platform.root + "/state", remount=hal.remount)
        self.floor = Floor(self.clock, files)
        wall_ms = hal.wall_ms()
        if self.floor.trusts(wall_ms):
            self.clock.set_wall(wall_ms, self.now_ms, "board")
        settings = config["uplink"]
        key = bytes.fromhex(settings["key"])
        self.keys = Keys(config["gateway"], key, files, self.note_event)
        self.uplink = _Upstream(settings, _NoJournal(), self.identity, hal.random)
        self.uplink.mac = self.keys  # type: ignore[assignment]
        self.uplink.on_command = self._on_command
        self.orders = _Orders(self, self.keys, files)
        if settings["tls"]:
            from agent.certificates import Certificates

            self.certificates = Certificates(files, self.note_event, settings)
        if config["clock"]["ntp"]:
            from agent.timekeeper import Timekeeper

            self.timekeeper = Timekeeper(config["clock"]["ntp"], hal.random)
        self._slots = slots = _Broken(platform.root, "", ["a", "-", 0, 0, 0, ""])
        self._highest = max(slots.counter("a"), slots.counter("b"))
        # One that is not whole, else the older one.
        a, b = inspect(platform.root, "a")[0], inspect(platform.root, "b")[0]
        slots.goal = "b" if b < a else "a"
        self.updater = Updater(
            slots,
            _release_keys(files),
            config["board"],
            self.keys,
            b"chunk" + config["gateway"].encode(),
            self.uplink.publish_want,
            lambda: 0,
        )
        if self._is_unfinished(slots.goal):
            self.updater.resume()

    def note_event(self, what, why):
        """Say what would be an event: there is no journal."""
        self.log.info("repair", "%s: %s", what, why)

    def set_wall(self, wall_ms, now_ms, source):
        """Set the clock; what firmware/timekeeping.py calls."""
        self.clock.set_wall(wall_ms, now_ms, source)

    def update(self, args):
        """Do the command `update`. Raises CannotDo."""
        try:
            offer = bytes.fromhex(args.get("offer"))
        except (ValueError, TypeError):
            raise CannotDo("offer: is not hexadecimal")
        if len(offer) == OFFER_BYTES and unpack_from(">I", offer, 8)[0] < self._highest:
            raise CannotDo("its counter is below %d" % self._highest)
        return self.updater.offer(offer)

    def step(self, now_ms):
        """Do what is due; true: a whole firmware lies in a slot, and boot.py tries it."""
        self.now_ms = now_ms
        self.clock.tick(now_ms)
        if self.updater.is_idle:
            return False
        self.updater.step(now_ms)
        if self.updater.is_idle:
            self.log.warn("repair", "%s", self.updater.why)
        return self.updater.is_ready

    def say(self):
        """Say what is wrong: by cable, and upstream as the live state."""
        print("Eclor gateway in SAFE MODE: no firmware can run. Its readings are kept.")
        for text in self.wrong:
            print("  " + text)
        report = self.updater.report()
        print("  It waits for a firmware: %s, %s" % (self.uplink.state, report["phase"]))
        tree = {"safe_mode": self.wrong, "update": report, "commands": self.orders.report()}
        self.uplink.publish_state(json.dumps(tree).encode())

    def _on_command(self, payload):
        if payload[:1] == b"\x01":
            self.updater.take(payload, self.now_ms)
            return
        answer = self.orders.take(payload, self.now_ms)
        if answer is not None:
            self.uplink.publish_result(answer)

    def _is_unfinished(self, slot):
        """Tell whether a slot holds the beginning of a firmware: one that is there is broken."""
        try:
            head = self._slots.read(slot, 0, 20)
        except OSError:
            return False
        whole = OFFER_BYTES + sum(unpack_from(">II", head, 12)) if len(head) == 20 else 0
        return self._slots.size(slot) < whole


def _release_keys(files):
    data = bytearray(_RELEASE_KEYS)
    try:
        files.open()
        length = files.load("keys", data)
    except OSError:
        length = 0
    return bytes(data[: length - length % _KEY])


async def _main(app, hal):
    names = Names(hal.random, app.config["network"]["dns"])
    link = Link(app, hal)
    feed = hal.start_watchdog(_WATCHDOG_MS)
    rows = [(carrier.run, (app, hal, names, link)), (link.keep, ())]
    if app.timekeeper:
        from firmware import timekeeping

        rows.append((timekeeping.keep_time, (app, hal, names)))
    tasks = [asyncio.create_task(_forever(app, *row)) for row in rows]
    led = getattr(hal, "led", None)
    said_ms = shown = 0
    left_ms = _AGAIN_S * 1000
    while left_ms > 0 or not app.updater.is_idle:
        if said_ms <= 0:
            app.say()
            said_ms = _SAY_MS
        if feed:
            feed()
        if app.step(hal.ticks_ms()):
            await asyncio.sleep_ms(500)  # what was said last leaves
            hal.reset()
        if led and said_ms // 1000 != shown:
            shown = said_ms // 1000
            led(shown % 2)  # agent/lamp.py: slow and even
        pause_ms = 1 if app.updater.is_busy else _STEP_MS
        await asyncio.sleep_ms(pause_ms)
        said_ms -= pause_ms
        left_ms -= pause_ms
    for task in tasks:
        task.cancel()


async def _forever(app, task, args):
    while True:
        try:
            await task(*args)
        except Exception as error:
            app.log.error("repair", "%s: %s", type(error).__name__, error)
        await asyncio.sleep_ms(2000)
