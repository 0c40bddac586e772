"""A bounded ring of log lines. A line below the level is never formatted.

    log = Log(size=32, level=INFO, sink=print)
    log.warn("bus", "rs485-1: %s, retry %d of %d", error, 1, 2)

Secrets never come here: config.py marks them, and nothing that is marked is ever passed on.
"""

from micropython import const

DEBUG = const(10)
INFO = const(20)
WARN = const(30)
ERROR = const(40)
LEVELS = {"debug": 10, "info": 20, "warn": 30, "error": 40}
_LETTERS = {10: "D", 20: "I", 30: "W", 40: "E"}
_LINE_CHARS = const(160)


class Log:
    """The last lines, oldest first.

    size   lines kept
    level  the least severity that is kept
    sink   called with each kept line (print on a device), or None
    """

    def __init__(self, size=32, level=INFO, sink=None):
        self._ring = [""] * size
        self._next = 0
        self._sink = sink
        self.level = level
        self.now_s = 0  # uptime, set by the App
        self.warnings = 0
        self.errors = 0

    def _add(self, level, who, text, values):
        if level < self.level:
            return
        if values:
            text = text % values
        line = ("%d %s %s: %s" % (self.now_s, _LETTERS[level], who, text))[:_LINE_CHARS]
        self._ring[self._next] = line
        self._next = (self._next + 1) % len(self._ring)
        if self._sink:
            self._sink(line)

    def debug(self, who, text, *values):
        """Keep what only a developer wants to know."""
        self._add(DEBUG, who, text, values)

    def info(self, who, text, *values):
        """Keep a step of normal life: started, connected, synchronised."""
        self._add(INFO, who, text, values)

    def warn(self, who, text, *values):
        """Keep a fault that the gateway deals with itself."""
        self.warnings += 1
        self._add(WARN, who, text, values)

    def error(self, who, text, *values):
        """Keep a fault that a person must deal with."""
        self.errors += 1
        self._add(ERROR, who, text, values)

    def lines(self):
        """Return the kept lines, oldest first."""
        ring = self._ring
        return [line for line in ring[self._next :] + ring[: self._next] if line]
