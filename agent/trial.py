"""Whether a new firmware, or a new configuration, stays: for what it does. Loaded when needed.

Not here: fetching it (agent/update.py) and counting its starts (firmware/boot.py, before it runs).

A firmware is confirmed when, after `settle_s` of uptime, the collector has acknowledged something
that this life wrote, no task failed more than now and then, and at least half as many meters
answer as before. It is rolled back when that has not come within `trial_s` of uptime, added up
over starts and sleeps: neither a power cut nor a night without network decides anything. A start
that only a power cut made necessary does not count as a try.

    trial = Trial(slots, cause, first, settings, note)
    trial.step(uptime_s, acked, errors, meters)      # True: restart now, into the old firmware
"""

from micropython import const

from agent.slots import NO_TRIAL

_SAVE_S = const(60)
_ERRORS = const(5)
_CALM = ("power", "sleep")  # causes of a start that are no fault of the firmware


class Trial:
    """slots: agent/slots.Slots, or agent/settings.Settings, on trial.

    cause: why this life began. first: its first seq.

    settings: config["update"]. note(what, why): puts an event into the journal.
    keep(): called when it is confirmed, before that is durable; raises OSError.
    """

    def __init__(self, slots, cause, first, settings, note, keep):
        self._slots = slots
        self.what = slots.WHAT
        self._first = first
        self._settings = settings
        self._note = note
        self._keep = keep
        words = slots.state[5].split(" ")
        self._meters = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        self._before_s = self._spent_s = slots.state[4]
        self._saved_s = 0
        self.missing = "settling"
        if cause in _CALM and slots.state[2] < slots.TRIES:
            self._write(slots.state[2] + 1, self._before_s)

    def step(self, uptime_s, acked, errors, meters, run_s=0):
        """Decide: True when the old firmware is to be started now. Over when is_over.

        uptime_s: of this life; run_s: awake before it, when planned sleeps alone interrupted it
        """
        self.missing = self._find_missing(uptime_s + run_s, acked, errors, meters)
        self._spent_s = spent_s = self._before_s + uptime_s
        try:
            if not self.missing:
                self._keep()
                self._slots.write([self._slots.running, NO_TRIAL, 0, 0, 0, ""])
                self._note(self.what + "_confirmed", "after %d s" % spent_s)
            elif spent_s >= self._settings["trial_s"]:
                active = self._slots.state[0]
                why = "%s after %d s" % (self.missing, spent_s)
                why = "rolled back from %s: %s" % (self._slots.running, why)
                self._slots.write([active, NO_TRIAL, 0, 0, 0, why])
                return True
            elif uptime_s - self._saved_s >= _SAVE_S:
                self._saved_s = uptime_s
                self._write(self._slots.state[2], spent_s)
        except OSError as error:
            self.missing = "/slot cannot be written: %s" % error
        return False

    def save(self):
        """Keep the time that was spent so far: this life ends asleep, as planned, and well.

        So its starts are counted from nothing: the next wake may be cut before it can say why.
        """
        self._write(self._slots.TRIES, self._spent_s)

    @property
    def is_over(self):
        """Tell whether it is confirmed."""
        return not self.missing

    def _find_missing(self, uptime_s, acked, errors, meters):
        if uptime_s < self._settings["settle_s"]:
            return "settling"
        if errors > _ERRORS:
            return "%d errors" % errors
        if 2 * meters < self._meters:
            return "%d of %d meters answer" % (meters, self._meters)
        if acked < self._first:
            return "nothing was acknowledged"
        return ""

    def _write(self, tries, spent_s):
        state = list(self._slots.state)
        state[2] = tries
        state[4] = spent_s
        try:
            self._slots.write(state)
        except OSError:
            pass  # boot.py has counted this start: it errs to the safe side


def tell(slots, note):
    """Put what was noted at the start into the journal, once; remove what failed its trial."""
    said = slots.state[5]
    if not said or slots.is_on_trial:
        return
    if said.startswith("rolled back from " + slots.target):
        slots.remove(slots.target)
    note("boot" if slots.WHAT == "update" else slots.WHAT, said)
    state = list(slots.state)
    state[5] = ""
    try:
        slots.write(state)
    except OSError:
        pass  # it is said again at the next start
