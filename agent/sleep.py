"""A battery site: wake, read, store, at every few wakes send, sleep again. Loaded only there.

Not here: how a chip sleeps (firmware/hal/) and what a start does otherwise (app.py). A deep sleep
ends as a start does, so what a life knows lies on the flash before it; the next life goes on with
it: the open blocks, the boot id, the uptime, the meters' states. A planned sleep is thus no loss
and gets no BOOT record. Whatever else ends a sleep is an ordinary start, and says so.

    wake           due            asleep                          wake
     |-- lead_ms --|-- read, store --|------------- sleep_ms -------|
                                     '-- the schedule goes on from here: what fell due, is due

| at | size | field of the slot `sleep`, big-endian |
| --- | --- | --- |
| 0 | 1 | format, 1 |
| 1 | 1 | 1: a nap, the chip cannot sleep for so long as was wanted |
| 2 | 4, 4 | boot id; first seq of this run: since the last start that was none of ours |
| 10 | 8, 8 | uptime and wall time when it fell asleep; no wall time: 0 |
| 26 | 4 | ms it was to sleep |
| 30 | 4 | s since the clock was set, as if by a crystal: worse ones age faster |
| 34 | 4, 2 | s awake and errors of this run: for a trial |
| 40 | 2, 2 | wakes since the last uplink; lead_ms |
| 44 | 8, 8, 4, 4 | begin, end, erases and bytes of agent/forecast.py |
| 68 | 4 | hash of the configuration |
| 72 | n | the states of the meters; then a CRC-32 |

    sleep = Sleep(config["power"], ground, hal.cause, hal.drift_ppm, hal.longest_sleep_ms)
    sleep.wake(clock, hal.start_ms)        # before the App is made
    app.sleep = sleep                      # before it starts
    ms = sleep.step(app, now_ms)           # 0; or sleep now, for so long
"""

import gc
from binascii import crc32
from struct import pack_into, unpack_from

from micropython import const

from agent import forget
from agent.clock import UPTIME_ONLY
from drivers.ticks import ticks_add, ticks_diff

SLOT = "sleep"
_FORMAT = const(1)
_ROW = ">BBIIQQIIIHHHQQII4s"
_STATES = const(72)
_CRYSTAL_PPM = const(40)
_LEAST_MS = const(5_000)  # a shorter sleep is not worth a start
_LEAD_MAX_MS = const(30_000)
_LEAVE_MS = const(2_000)
_FETCH_MS = const(600_000)  # a firmware that is on its way may take so long
_AGAIN_MS = const(60_000)
_MOST_MS = const(432_000_000)  # five days: ticks wrap after twelve


class Sleep:
    """settings: config["power"]. ground: agent/store.Files. cause: why this life began.

    drift_ppm: how wrong the chip's clock may go while it sleeps. longest_ms: of one sleep

    is_planned  this life goes on where a planned sleep interrupted it
    uplinks     this life uses the network
    first, run_s, errors  of the run before this life
    """

    def __init__(self, settings, ground, cause, drift_ppm=_CRYSTAL_PPM, longest_ms=_MOST_MS):
        self._every = settings["uplink_every"]
        self._awake_ms = settings["awake_s"] * 1000
        self._ground = ground
        self._drift_ppm = drift_ppm
        self._longest_ms = longest_ms
        self.is_planned = False
        self.uplinks = True
        self.first = self.run_s = self.errors = 0
        self._wakes = self._lead_ms = 0
        self._began_ms = self._left_ms = self._again_ms = None
        self._is_sealed = False
        self._row: tuple = ()
        self._states = b""
        if cause == "sleep":
            self._load()

    # --- the start

    def _load(self):
        data = bytearray(_STATES + 260)
        try:
            self._ground.open()
            end = self._ground.load(SLOT, data) - 4
        except OSError:
            return
        if end < _STATES or data[0] != _FORMAT:
            return
        if unpack_from(">I", data, end)[0] != crc32(bytes(data[:end])) & 0xFFFFFFFF:
            return
        self._row = unpack_from(_ROW, data, 0)
        self._states = bytes(data[_STATES:end])
        self.is_planned = True

    def wake(self, clock, start_ms):
        """Let the clock of this life go on from the last one's; decide whether it sends.

        start_ms: how long this start had taken at clock's first tick
        """
        if not self.is_planned:
            return
        row = self._row
        clock.boot, self.first, uptime_ms = row[2:5]
        clock.uptime_ms = uptime_ms + row[6] + start_ms
        self.run_s, self.errors, self._wakes, self._lead_ms = row[8:12]
        if row[1]:
            self.uplinks = False
            return
        self._wakes += 1
        self.uplinks = self._wakes >= self._every
        if self.uplinks:
            self._wakes = 0

    def goes_on(self, app, index, data, now_ms):
        """Fill an open block with what its snapshot holds; false: it is to be sealed as it is.

        Reading a block wants as much memory as writing it: where that is not there in one piece,
        the gateway does with smaller blocks.
        """
        from agent.codec import BadBlock, decode

        if index >= len(app.blocks) or data[1:5] != app.config_hash:
            return False
        block = app.blocks[index]
        forget("codec_read")  # a start needs it once
        gc.collect()
        try:
            found = decode(data)
        except (BadBlock, ImportError):  # of a format before, whose reader no gateway has
            return False
        except MemoryError:
            app.log.warn("sleep", "no memory to go on with the block of meter %d", index)
            return False
        app.open_block(index, found.clock, now_ms)
        for at_ms, values, quality in found.rows:
            if found.boot not in (0, app.clock.boot) or not block.add(at_ms, values, quality):
                block.count = 0
                return False
        return True

    def started(self, app, now_ms, first):
        """Put what is due on its time: also what fell due in the sleep. first: of this run."""
        self._began_ms = now_ms
        self.first = first
        if not self.is_planned:
            return
        row = self._row
        clock = app.clock
        clock.age(row[7] * 1000)
        asleep_ms = row[5]
        at_ms, state = clock.wall_ms_at(now_ms)
        if not asleep_ms or state == UPTIME_ONLY:
            asleep_ms, at_ms = row[4], clock.uptime_ms_at(now_ms)
        slept_ms = at_ms - asleep_ms
        if 0 <= slept_ms < _MOST_MS:
            app.schedule.align(asleep_ms, ticks_add(now_ms, -slept_ms))
            if not row[1]:
                self._lead_ms = min(max(0, slept_ms - row[6]), _LEAD_MAX_MS)
        if row[16] != app.config_hash:
            return
        app.forecast.resume(row[12], row[13], row[14])
        app.journal.taken += row[15]
        for meter, meter_state in zip(app.meters, self._states):  # noqa: B905 - not on the device
            meter.state = meter_state

    # --- the end

    def step(self, app, now_ms):
        """Return for how many ms to sleep from now on, 0: there is something to do."""
        wait_ms = app.schedule.wait_ms(now_ms, _MOST_MS) - self._lead_ms
        if wait_ms < _LEAST_MS or not self._is_done(app, now_ms):
            is_wanted = app.orders.keeps_awake() or app.uplink.owes_results
            if self._left_ms is not None and is_wanted:
                self._left_ms = None  # the order came while it took leave
                app.uplink.stay()
            return 0
        if self.uplinks:
            if self._left_ms is None:
                self._left_ms = now_ms
                app.uplink.leave(wait_ms // 1000)
            if not app.uplink.is_gone and ticks_diff(now_ms, self._left_ms) < _LEAVE_MS:
                return 0
        if self._again_ms is not None and ticks_diff(now_ms, self._again_ms) < 0:
            return 0
        self._again_ms = ticks_add(now_ms, _AGAIN_MS)
        if app.upgrade and app.upgrade.pause():
            app.orders.restart(now_ms)
            return 0
        sleep_ms = min(wait_ms, self._longest_ms)
        if app.supply and app.supply.is_low:
            # The one write of a wake, when nothing else draws: awake the supply would only fall.
            app.journal.degraded = False
        app.save(now_ms)
        if app.journal.degraded:  # what is in RAM would be lost
            app.log.warn("sleep", "the flash cannot be written: it stays awake")
            return 0
        try:
            self._keep(app, now_ms, sleep_ms, sleep_ms < wait_ms)
        except OSError as error:
            app.log.warn("sleep", "%s: it stays awake", error)
            return 0
        return sleep_ms

    def _is_done(self, app, now_ms):
        awake_ms = ticks_diff(now_ms, self._began_ms)
        is_late = awake_ms >= self._awake_ms
        for bus in app.buses:
            if not bus.is_quiet():
                return False
        for meter in app.meters:
            if meter.listens and meter.wanted:
                if not is_late:
                    return False
                app.close_unheard(meter, now_ms)
                meter.wanted = False
        if app.orders.keeps_awake():
            return False
        if not self.uplinks:
            return True
        if not self._is_sealed:
            self._is_sealed = True
            app.seal_all()
            app.quiet.wants_sync = True
            return False
        if app.upgrade and app.upgrade.is_fetching and awake_ms < _FETCH_MS:
            return False
        if app.uplink.owes_results and awake_ms < 2 * self._awake_ms:
            return False  # who gave an order would take it for one that was not heard
        if is_late:
            return True
        if not app.uplink.counters["sessions"]:
            return False  # what was left for this gateway comes first of all
        if app.timekeeper and app.clock.source in ("", "board"):
            return False  # no server has told the time in this life
        return app.journal.acked >= app.journal.next - 1

    def _keep(self, app, now_ms, sleep_ms, is_nap):
        """Put on the flash what the next life wants. Raises OSError."""
        clock = app.clock
        wall_ms = 0 if clock.state == UPTIME_ONLY else clock.wall_ms_of_uptime(clock.uptime_ms)
        age_s = clock.age_ms // 1000 + sleep_ms // 1000 * self._drift_ppm // _CRYSTAL_PPM
        awake_s = ticks_diff(now_ms, self._began_ms) // 1000
        begun_ms, due_ms, erased = app.forecast.span()
        data = bytearray(_STATES + len(app.meters) + 4)
        pack_into(
            _ROW,
            data,
            0,
            _FORMAT,
            is_nap,
            clock.boot,
            self.first,
            clock.uptime_ms,
            wall_ms,
            sleep_ms,
            min(age_s, 0xFFFFFFFF),
            self.run_s + awake_s,
            min(self.errors + app.log.errors, 0xFFFF),
            self._wakes,
            self._lead_ms,
            begun_ms,
            due_ms,
            erased,
            app.journal.taken,
            app.config_hash,
        )
        for i, meter in enumerate(app.meters):
            data[_STATES + i] = meter.state
        end = len(data) - 4
        pack_into(">I", data, end, crc32(bytes(data[:end])) & 0xFFFFFFFF)
        self._ground.begin(SLOT, len(data))
        self._ground.put(data, 0, len(data))
        self._ground.commit()
