"""What is wrong with the whole gateway, and the mildest cure: task, uplink, interface, board.

Not here: a part that stands still, a port that fails (watch.py), a meter or a line (bus.py), a
radio that does not join (interface.py): those cure themselves first. Here is what remains:

| what | first | then |
| --- | --- | --- |
| STORM tasks that are no port's fail within ten minutes | each was started anew | the board |
| a task finds no memory | the uplink, its TLS is largest | the board, if that does not help |
| the heap has no large piece, twice in ten minutes | the uplink, its TLS is largest | the board |
| nothing acknowledged for `uplink.dead_h` hours | at half of it the interface | the board |

Each cure is counted and said upstream; before the board starts anew the last log lines are kept
(last_words.py). A board that starts anew begins to count from nothing, so none restarts more often
than every ten minutes, or every `dead_h` hours.

    cure, why = health.step(uptime_s)       # "", UPLINK, INTERFACE or BOARD
"""

import gc

from micropython import const

UPLINK = "uplink"
INTERFACE = "interface"
BOARD = "board"
STORM = const(10)
_WINDOW_S = const(600)
_RELIEF_S = const(15)  # what the uplink held is free by then


def has_room(size_bytes):
    """Tell whether the heap has one free piece of that size."""
    gc.collect()
    try:
        bytearray(size_bytes)
    except (MemoryError, OverflowError):  # beyond a machine word
        return False
    return True


class Health:
    """journal: agent/journal.Journal. dead_h: 0: a dead uplink is nobody's business.

    room: callable() that tells whether there is room for what this gateway does
    """

    def __init__(self, journal, dead_h, room):
        self._journal = journal
        self._dead_s = dead_h * 3600
        self._room = room
        self._failed_at: list = []
        self._is_starved = False
        self._relieved_s = -_WINDOW_S  # when the uplink was last given up for memory
        self._looked_s = 0
        self._narrow = 0  # looks in a row that found no room
        self._acked = None
        self._acked_s = 0
        self._is_switched = False
        self.resting: list = []  # names of the ports that rest (watch.py)
        self.counts = {"task": 0, "port": 0, UPLINK: 0, INTERFACE: 0, BOARD: 0}

    def starved(self):
        """A task found no memory; nothing is allocated here."""
        self.counts["task"] += 1
        self._is_starved = True

    def failed(self, uptime_s, is_port=False):
        """Count a task that ended with an error and is started anew; a port's costs no board."""
        self.counts["task"] += 1
        if is_port:
            return
        self._failed_at.append(uptime_s)
        if len(self._failed_at) > STORM:
            self._failed_at.pop(0)

    def step(self, uptime_s):
        """Return (cure, why): what is to be started anew now; ("", "") when all is well."""
        cure, why = self._find(uptime_s)
        if cure:
            self.counts[cure] += 1
        return cure, why

    def _find(self, uptime_s):
        times = self._failed_at
        if len(times) == STORM and times[-1] - times[0] < _WINDOW_S:
            times.clear()
            return BOARD, "%d tasks failed within %d s" % (STORM, _WINDOW_S)
        if self._is_starved:
            self._is_starved = False
            since_s = uptime_s - self._relieved_s
            if since_s >= _WINDOW_S:
                self._relieved_s = uptime_s
                return UPLINK, "a task found no memory"
            if since_s >= _RELIEF_S:
                self._relieved_s = uptime_s
                return BOARD, "a task found no memory %d s later" % since_s
        if uptime_s - self._looked_s >= _WINDOW_S:
            self._looked_s = uptime_s
            self._narrow = 0 if self._room() else self._narrow + 1
            if self._narrow:
                cure = UPLINK if self._narrow % 2 else BOARD
                return cure, "the heap is in pieces"
        return self._look_upstream(uptime_s)

    def _look_upstream(self, uptime_s):
        journal = self._journal
        if journal.acked != self._acked or journal.acked >= journal.next - 1 or not self._dead_s:
            self._acked = journal.acked
            self._acked_s = uptime_s
            self._is_switched = False
            return "", ""
        silent_s = uptime_s - self._acked_s
        why = "nothing was acknowledged for %d s" % silent_s
        if silent_s >= self._dead_s:
            self._acked_s = uptime_s
            self._is_switched = False
            return BOARD, why
        if 2 * silent_s >= self._dead_s and not self._is_switched:
            self._is_switched = True
            return INTERFACE, why
        return "", ""
