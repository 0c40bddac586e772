"""When the flash may work: while every line is silent, or else where that costs least.

Not what is written (agent/journal.py), nor what the lines say (agent/bus.py). While a chip erases
a block of its flash no interrupt runs (RP2: 45 ms), and a UART loses what its FIFO cannot hold:

    line   talks talks talks ______________________________ talks
    flash                       erase erase                      no byte is lost
                                |<-- need: all erases, less what the FIFO holds -->|

A line that is so slow that its FIFO holds an erase needs no pause. An asking line is silent
between two transactions: it is held there when work does not come to its turn otherwise. A meter
that pushes is silent for as long as its pauses have been so far. One whose pauses are too short
is disturbed where nobody misses the telegram, and never unsaid: `forced` counts each time.

    quiet = Quiet(app, (32, 45))
    quiet.wants_sync = True            # the App's wish
    quiet.step(now_ms)                 # from App.step, and from each bus when it falls silent
"""

from micropython import const

from drivers.ticks import ticks_diff

_HOLD_MS = const(300)  # work waits so long for silence that comes by itself
_UNKNOWN_MS = const(5_000)  # so long for the pause of a meter whose rhythm is not known
_LIMIT_MS = const(10_000)  # and never longer than this
_LATE_BYTES = const(4)  # in the FIFO, unseen: a receiver tells of few bytes after 32 bit times
_LATE_MS = const(2)  # and the port's task looks each 2 ms
_OFTEN_MS = const(20)  # how soon to look again while work waits


class Quiet:
    """app: agent/app.App. stall: (bytes that a UART's FIFO holds, ms of an erase), (0, 0): none.

    wants_sync, wants_save   what the App wishes: Journal.sync(), App.save()
    forced                   pieces of work done while a line talked, or was about to
    waited_ms                the longest that work has waited
    """

    def __init__(self, app, stall):
        self._app = app
        self._fifo, self._erase_ms = stall
        self.wants_sync = False
        self.wants_save = False
        self.forced = 0
        self.waited_ms = 0
        self._since = None  # the tick at which the work that is due began to wait
        if self._erase_ms:
            for bus in app.buses:
                bus.on_silence = self.step

    def sync(self, now_ms):
        """Make records durable, now if that harms no line, else as soon as it does not."""
        self.wants_sync = True
        if self._app.supply and self._app.supply.is_low:
            return
        if self._may_work(now_ms, True):
            self._do_due(now_ms)

    def step(self, now_ms):
        """Do what is due, one piece where a piece stops the chip; then what may wait.

        Returns the ms after which to call again at the latest, None: nothing is due.
        """
        has_worked = False
        supply = self._app.supply
        if supply and supply.is_low:  # an erase that is begun may not end
            self._app.journal.degraded = True
            self._release(now_ms)
            return None
        while self._is_due():
            if has_worked and self._erase_ms and not self._needs_no_erase():
                return _OFTEN_MS  # time has passed
            if not self._may_work(now_ms, True):
                return _OFTEN_MS
            self._do_due(now_ms)
            has_worked = True
        if has_worked and self._erase_ms:
            return None
        self._release(now_ms)
        may = self._may_work(now_ms, False)
        self._app.journal.housekeep(now_ms, may)
        if self._app.purge:
            self._app.purge.step(may)
        return None

    def _is_due(self):
        journal = self._app.journal
        is_full = journal.tail.cut > 0 and not journal.degraded
        return self.wants_sync or self.wants_save or is_full

    def _needs_no_erase(self):
        journal = self._app.journal
        return journal.degraded or journal.ground.is_ready

    def _do_due(self, now_ms):
        """Do one piece: one write to the flash, but for what a start of the journal left."""
        journal = self._app.journal
        if journal.degraded:  # in RAM; housekeep() tries the flash again
            journal.sync()
            self.wants_sync = self.wants_save = False
        elif journal.tail.cut and self._erase_ms:
            journal.housekeep(now_ms, True)
        elif self.wants_sync or journal.tail.cut or (self._erase_ms and journal.tail.is_heavy):
            journal.sync()
            self.wants_sync = False
        else:
            self._app.save(now_ms)
            self.wants_save = False
        self._release(now_ms)

    def _release(self, now_ms):
        if self._since is not None:
            self.waited_ms = max(self.waited_ms, ticks_diff(now_ms, self._since))
            self._since = None
            for bus in self._app.buses:
                bus.is_held = False

    def _may_work(self, now_ms, is_due):
        """Say whether the flash may work now; hold the asking lines when it has to, soon."""
        if not self._erase_ms:
            return is_due or self._is_idle()
        if is_due and self._needs_no_erase():
            return True
        late_ms = 0
        if is_due:
            if self._since is None:
                self._since = now_ms
            late_ms = ticks_diff(now_ms, self._since)
        may = True
        costs = False
        for bus in self._app.buses:
            need_ms = self.need_ms(bus)
            if need_ms and bus.silent_ms(now_ms) < need_ms:
                may = may and late_ms > 0 and self._is_bearable(bus, need_ms, late_ms)
                costs = True
            bus.is_held = need_ms > 0 and late_ms >= _HOLD_MS
        if may and costs:
            self.forced += 1
        return may

    def _is_bearable(self, bus, need_ms, late_ms):
        """Say whether a line that is not silent for long enough is to be disturbed now."""
        if late_ms >= _LIMIT_MS:
            return True
        if not bus.rhythm.is_between or bus.is_wanted():
            return False
        return late_ms >= _UNKNOWN_MS or 0 < bus.rhythm.pause_ms < need_ms

    def _is_idle(self):
        for bus in self._app.buses:
            if not bus.is_quiet():
                return False
        return True

    def need_ms(self, bus):
        """Return for how long a line has to be silent that flash work may begin; 0: not at all."""
        if not bus.is_uart:
            return 0
        baud, bits, parity, stop = bus.line
        char_us = (1 + bits + (parity != "N") + stop) * 1_000_000 // baud
        held_ms = (self._fifo - _LATE_BYTES) * char_us // 1000
        if held_ms >= self._erase_ms:
            return 0
        return self._app.journal.ground.erases * self._erase_ms - held_ms + _LATE_MS
