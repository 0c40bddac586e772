"""What the board's LED says to a technician: one table. Loaded only where there is a LED.

Not here: the pin (the board's file, firmware/hal/). Each step is a quarter of a second, the rows
are in order: the first that holds is shown. To read it, count the flashes between two pauses.

| shows | means |
| --- | --- |
| `#-#-#-#-` quick and even | here I am: the command `locate` |
| `####----` slow and even | it waits for a cable: safe mode, or not provisioned (boot.py) |
| `########` steady | it starts: no meter has been heard yet, for two minutes at most |
| `#-#-------` two flashes | no meter answers |
| `#-#-#-------` three flashes | no network |
| `#-#-#-#-------` four flashes | the collector has acknowledged nothing for five minutes |
| `#---------------` one flash | all is well |

    lamp = Lamp(app, link)
    led(lamp.step(now_ms))
"""

from micropython import const

from agent.meter import OK, WAITING

STEP_MS = const(250)
PATTERNS = {
    "locate": "#-",
    "waiting": "####----",
    "starting": "#",
    "no meter": "#-#-------",
    "no network": "#-#-#-------",
    "no collector": "#-#-#-#-------",
    "healthy": "#---------------",
}
_START_S = const(120)
_SILENT_S = const(300)


class Lamp:
    """app: agent/app.App. link: what has is_up, firmware/link.Link."""

    def __init__(self, app, link):
        self._app = app
        self._link = link
        self._begun_s = self._acked_s = app.clock.uptime_ms // 1000
        self._acked = 0

    def step(self, now_ms):
        """Return whether the LED shines now."""
        return is_lit(self.state(), now_ms)

    def state(self):
        """Return what is to be said now: a name of PATTERNS."""
        app = self._app
        uptime_s = app.clock.uptime_ms // 1000
        journal = app.journal
        if journal.acked != self._acked or journal.acked >= journal.next - 1:
            self._acked = journal.acked
            self._acked_s = uptime_s
        if app.orders.is_located(app.now_ms):
            return "locate"
        states = [meter.state for meter in app.meters]
        if states and OK not in states:
            is_new = WAITING in states and uptime_s - self._begun_s < _START_S
            return "starting" if is_new else "no meter"
        if app.sleep and not app.sleep.uplinks:
            return "healthy"  # at this wake it does not send
        if not self._link.is_up:
            return "no network"
        return "no collector" if uptime_s - self._acked_s >= _SILENT_S else "healthy"


def is_lit(state, now_ms):
    """Return whether a LED that says this state shines at a tick."""
    pattern = PATTERNS[state]
    return pattern[now_ms // STEP_MS % len(pattern)] == "#"
