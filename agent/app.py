"""The wiring of one gateway: readings climb from the buses to the journal and leave by the uplink.

Not the loop (firmware/loop.py), which owns bytes and time. Read top-down: `__init__` builds the
rooms, `on_reading` is the way up, `step` is what time asks for.

    app = App(config, journal, clock, identity, random, log)
    app.start(now_ms, cause)
    app.step(now_ms)
"""

import json

from micropython import const

from agent.bus import Bus
from agent.carried import PART, Carried
from agent.codec import BadBlock, Block, check
from agent.floor import Floor
from agent.forecast import Forecast
from agent.meter import STATE_NAMES, make_meters
from agent.orders import Orders
from agent.quiet import Quiet
from agent.record import BLOCK, BOOT, EVENT, HEALTH, SCHEMA, TIME
from agent.report import Report
from agent.schedule import Schedule
from agent.sealing import Sealing, block_bytes
from drivers.ticks import ticks_add, ticks_diff

_STEP_MS = const(200)  # step() is wanted at least this often


class App:
    """One gateway.

    config    from agent/config.validate, without problems
    journal   agent/journal.Journal, not started
    clock     agent/clock.Clock
    identity  dict: gateway, site, board, version, runtime, boot (u32)
    random    random(n) -> int in [0, n)
    log       agent/log.Log
    heap      callable() -> (used, free) in bytes
    ground    agent/store.Files for what is no journal, or None: then no command is taken
    stall     what an erase of the flash does to the lines: agent/quiet.Quiet
    """

    def __init__(
        self, config, journal, clock, identity, random, log, heap, ground=None, stall=(0, 0)
    ):
        self.config = config
        self.journal = journal
        self.clock = clock
        self.identity = identity
        self.log = log
        self.meters = make_meters(config)
        self.privacy = None
        if [m for m in self.meters if m.config["personal"]]:
            from agent.privacy import Privacy

            secret = bytes.fromhex(config["privacy"]["key"])
            self.privacy = Privacy(config["meters"], secret, ground)
            for meter in self.meters:
                meter.shown = self.privacy.name(meter.index)
        self.buses = []
        for port in config["ports"]:
            on_port = [m for m in self.meters if m.config["port"] == port["name"]]
            self.buses.append(Bus(port, on_port, self.on_reading, self.on_turn, log))
        self.carried = Carried(self.meters)
        self.quiet = Quiet(self, stall)
        self.forecast = Forecast(journal)
        self._bus_of = {m.index: b for b in self.buses for m in b.meters}
        self.schedule = Schedule([m.config["interval_s"] * 1000 for m in self.meters])
        self._save_ms = config["journal"]["max_loss_s"] * 1000
        self._state_ms = config["uplink"]["state_s"] * 1000
        self._report = Report(self, heap)
        self.config_hash = self._report.config_hash
        self.uplink = self._make_uplink(random)
        self.uplink.birth = self.birth
        self._ground = ground
        self.keys = self.uplink.mac  # agent/keys.Keys once a key was replaced; None without one
        self.orders = Orders(self, self.keys, ground)
        if self.keys and self._was_replaced("key"):
            self.load_keys()
        if config["uplink"]["budget_kb_day"]:
            from agent.budget import Budget

            limit = config["uplink"]["budget_kb_day"] * 1000
            self.uplink.budget = Budget(limit, ground)
        self.timekeeper = None  # agent/timekeeper.Timekeeper, where there are time servers
        self.floor = Floor(clock, ground)
        self.certificates = None  # agent/certificates.Certificates once one was replaced
        if config["uplink"]["tls"] and self._was_replaced("certificates"):
            self.load_certificates()
        self.cause = ""
        self.purge = None  # agent/purge.Purge after the first command to purge
        self.upgrade = None  # agent/upgrade.Upgrade, while there is something to change
        self.make_upgrade = None  # makes it; None where there are no slots
        self.uplink.on_command = self.on_command
        self._save_at = self._state_at = 0
        size = block_bytes(config["block"]["size"], len(self.meters))
        self.blocks = [Block(len(m.kept), size) for m in self.meters]
        self.sealing = Sealing(self, random)

    def _make_uplink(self, random):
        """Return the session of the configured kind; only that one is loaded."""
        settings = self.config["uplink"]
        if settings["kind"] == "https":
            from agent.poster import Poster

            return Poster(settings, self.journal, self.identity, random)
        if settings["format"] == "senml":
            from agent.platform import Platform

            made = Platform(settings, self.journal, self.identity, random)
            made.schema = self._report.schema()
            made.clock = self.clock
            return made
        from agent.uplink import Uplink

        return Uplink(settings, self.journal, self.identity, random)

    def _was_replaced(self, slot):
        """Tell whether a slot of our ground says that what the configuration gave was replaced."""
        try:
            return self._ground is not None and self._ground.load(slot, bytearray(1)) > 0
        except OSError:
            return True  # who looks closer, says what serves now

    def load_keys(self):
        """Return the keys as what can be replaced: RAM that only a gateway with a trial needs."""
        from agent.keys import Keys

        if not isinstance(self.keys, Keys):
            key = bytes.fromhex(self.config["uplink"]["key"])
            self.keys = Keys(self.identity["gateway"], key, self._ground, self.note_event)
            self.uplink.mac = self.orders.mac = self.keys
        return self.keys

    def load_certificates(self):
        """Return the certificates as what can be replaced; likewise."""
        from agent.certificates import Certificates

        if self.certificates is None:
            self.certificates = Certificates(self._ground, self.note_event, self.config["uplink"])
        return self.certificates

    # --- the start

    def start(self, now_ms, cause):
        """Recover the journal, say what may be missing, align the schedule."""
        self.cause = cause
        self.clock.tick(now_ms)
        found = self.journal.start()
        self.clock.remembered_ms = max(self.clock.remembered_ms, found.alive_ms)
        first = self.journal.next
        recovered = 0
        sleep = self.sleep
        woken = sleep if sleep and sleep.is_planned else None
        for meter, data in found.opens:
            if meter == PART:
                self.carried.restore(data)
                continue
            if woken and woken.goes_on(self, meter, data, now_ms):
                continue
            # The block of the last life is sealed as it stood: this life begins its own.
            if self._reseal(meter, data):
                recovered += 1
        if woken:
            first = woken.first
        else:
            self._note(SCHEMA, self._report.schema())
            self._note(BOOT, self._report.boot(found.alive_ms, self._wall_ms(now_ms), recovered))
        if self.upgrade:
            self.upgrade.start(cause, first)
        self.journal.sync()
        self._save_at = ticks_add(now_ms, self._save_ms)
        self._state_at = now_ms
        self.align(now_ms)
        if sleep:
            sleep.started(self, now_ms, first)
        self.log.info(
            "app", "%s: %d meters, start by %s", self.identity["gateway"], len(self.meters), cause
        )

    def align(self, now_ms):
        """Put the schedule on the clock's multiples: after the start and after a clock step."""
        self.schedule.align(self.clock.wall_ms_at(now_ms)[0], now_ms)

    def _reseal(self, meter, data):
        """Keep what a snapshot holds: it is a whole block already."""
        try:
            check(data)
        except BadBlock as error:
            self.log.warn("app", "open block of meter %d: %s", meter, error)
            return False
        self.journal.append(BLOCK, data, 0, len(data))
        return True

    # --- the way up

    def on_reading(self, meter, reading):
        """Take one whole reading of a meter into its open block, if this period wants it."""
        if meter.listens:
            if getattr(meter.driver, "event", ""):
                self._tell(meter, reading)
                return
            if not meter.wanted:
                return
            meter.wanted = False
        is_good = meter.take(reading)
        if is_good:
            meter.answers += 1
        tick = reading.at_ms if meter.listens or meter.failures == 0 else self.now_ms
        self._store(meter, tick, is_good)

    def on_turn(self, meter):
        """Declare that a meter fell silent or came back."""
        why = "%d turns without an answer" % meter.failures
        self.note_event("meter_" + STATE_NAMES[meter.state], why, meter.shown)

    def _tell(self, meter, reading):
        """Make a change that cannot wait an event; a person's door is nobody's business."""
        if not meter.config["personal"]:
            self.note_event(meter.driver.event, "contact", meter.shown, reading.at_ms)
            self.quiet.sync(self.now_ms)  # durable now: only then the uplink has it

    def note_event(self, what, why, meter="", at=None):
        """Put an event into the journal; meter: the name upstream, "" for the gateway itself."""
        at_ms = self._wall_ms(self.now_ms if at is None else at)
        self._note(EVENT, self._report.event(at_ms, what, why, meter))

    # --- what upstream may ask (agent/orders.py)

    def on_command(self, payload):
        """Take a command's bytes, or a piece of a firmware; publish a command's answer."""
        if payload[:1] == b"\x01":
            if self.upgrade:
                self.upgrade.take(payload, self.now_ms)
            return
        answer = self.orders.take(payload, self.now_ms)
        if answer is not None:
            self.uplink.publish_result(answer)

    def ask_now(self, meter):
        """Ask a meter out of turn; true when it will be asked, or heard at its next telegram."""
        if meter.listens:
            meter.wanted = True
            return True
        return self._bus_of[meter.index].ask(meter, self.now_ms)

    def set_interval(self, meter, interval_s):
        """Give a meter another interval until the next start; noted as an event."""
        self.schedule.change(meter.index, interval_s * 1000)
        self.align(self.now_ms)
        self.note_event("interval", "%d s until restart" % interval_s, meter.shown)

    def _store(self, meter, tick, is_good):
        index = meter.index
        block = self.blocks[index]
        at_ms, state = self.clock.wall_ms_at(tick)
        is_personal = meter.config["personal"]
        if is_personal and not (is_good and self.privacy.admit(index, at_ms, state)):
            return
        if meter.thin:
            meter.thin.hold(meter.values, meter.quality, tick)
        if block.count and (block.clock != state or at_ms < block.last_at_ms):
            self.seal(index)
        if not block.count:
            self.open_block(index, state, tick)
        if not block.add(at_ms, meter.values, meter.quality):
            self.seal(index)
            self.open_block(index, state, tick)
            block.add(at_ms, meter.values, meter.quality)
        meter.at_ms = at_ms
        if is_personal:  # the only one of its period: it does not wait in an open block
            self.seal(index)
            self.quiet.sync(self.now_ms)

    def open_block(self, index, state, tick):
        """Begin a meter's block; it is old enough to be sealed a while after tick."""
        self.blocks[index].open(self.config_hash, index, state, self.identity["boot"])
        self.sealing.opened(index, tick)

    def seal(self, index):
        """Put an open block into the journal; return its length."""
        block = self.blocks[index]
        length = block.seal()
        self.journal.append(BLOCK, block.data, 0, length)
        block.count = 0
        return length

    # --- what time asks for

    now_ms = 0
    health = words = None  # agent/health.Health, agent/last_words.LastWords: the loop's
    sleep = supply = None  # agent/sleep.Sleep, agent/supply.Supply, where configured
    brownouts = 0  # so far, when this life began by one

    def step(self, now_ms):
        """Ask due meters, seal aged blocks, save, report; return ms until the next call."""
        self.now_ms = now_ms
        self.clock.tick(now_ms)
        self.log.now_s = self.clock.uptime_ms // 1000
        for meter in self.meters:
            if self.schedule.due(meter.index, now_ms):
                self._due(meter, now_ms)
        is_low = False
        if self.supply:
            change = self.supply.step(now_ms)
            if change:
                self.note_event(change, "%d mV" % self.supply.mv)
            is_low = self.supply.is_low
        if self.sealing.step(now_ms):
            self.quiet.wants_sync = True
        if ticks_diff(now_ms, self._save_at) >= 0:
            self._save_at = ticks_add(now_ms, self._save_ms)
            self.quiet.wants_save = True
        if self.forecast.is_due(self.clock.uptime_ms):
            self._note(HEALTH, self._report.health(self._wall_ms(now_ms)))
        self.quiet.step(now_ms)
        if self.certificates:
            self.certificates.step(self.journal.acked)
        if self.uplink.budget:
            at_ms, state = self.clock.wall_ms_at(now_ms)
            self.uplink.budget.at(at_ms, state > 0)
        if self.upgrade and not is_low and self.upgrade.step(now_ms):
            self.orders.restart(now_ms)
        if ticks_diff(now_ms, self._state_at) >= 0:
            self._state_at = ticks_add(now_ms, self._state_ms)
            self.uplink.publish_state(self.state(now_ms))
        self.alive_ms = now_ms  # agent/watch.py: all of it was done
        if self.upgrade and self.upgrade.is_busy:
            return 0
        return self.schedule.wait_ms(now_ms, _STEP_MS)

    def _due(self, meter, now_ms):
        if not meter.listens:
            self._bus_of[meter.index].ask(meter, now_ms)
            return
        was_wanted = meter.wanted
        meter.wanted = True
        if self._bus_of[meter.index].close_period(meter, now_ms):
            return
        if was_wanted:
            self.close_unheard(meter, now_ms)
        meter.bad_at_due = meter.bad_frames

    def close_unheard(self, meter, now_ms):
        """Declare that nothing came of a listener in the period that ends now."""
        meter.take_nothing()
        meter.no_reply += 1
        self._store(meter, now_ms, False)

    def seal_all(self):
        """Seal every open block now."""
        for index, block in enumerate(self.blocks):
            if block.count:
                self.seal(index)

    def save(self, now_ms):
        """Put every open block on the flash, so that a power cut costs at most max_loss_s."""
        parts = []
        held = 0
        for index, block in enumerate(self.blocks):
            if block.count:
                start, end = block.close()
                parts.append((index, block.data, start, end))
                held += end - start
        self.sealing.open_bytes = held
        carried = self.carried.part()
        if carried:
            parts.append(carried)
        self.journal.save_open(self._wall_ms(now_ms), parts)

    def set_wall(self, wall_ms, now_ms, source):
        """Set the clock, keep the relation of uptime and wall time, and align the schedule."""
        step_ms = self.clock.set_wall(wall_ms, now_ms, source)
        if step_ms:
            self.log.warn("app", "clock stepped by %d ms (%s)", step_ms, source)
            self.journal.alive_ms += step_ms if self.journal.alive_ms else 0  # when it was saved
            self.quiet.wants_save = True
        self._note(TIME, self._report.time(wall_ms, source))
        self.align(now_ms)

    # --- what is said upstream

    def _wall_ms(self, now_ms):
        at_ms, state = self.clock.wall_ms_at(now_ms)
        return at_ms if state else 0

    def _note(self, kind, tree):
        data = json.dumps(tree).encode()
        self.journal.append(kind, data, 0, len(data))

    def birth(self):
        """Return the birth message: who this is, where its journal stands, what blocks mean."""
        return self._report.birth(self._wall_ms(self.now_ms))

    def state(self, now_ms):
        """Return the live state for a screen; losing one loses nothing."""
        return self._report.state(self._wall_ms(now_ms))
