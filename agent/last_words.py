"""The last log lines of a life, for the next one to tell.

Where the chip has memory that survives a reset (ESP32), every warning goes there at once: it is
there after a crash and after a hang. Elsewhere a slot of the flash gets them when a restart is
decided or a part stands still, and after an error, but once an hour at most: 9,000 erases of the
two blocks that it shares in ten years, were there an error every hour.

    words = LastWords(log, ground, hal.memory)
    words.tell(app.note_event)            # once, at the start
    words.keep("tasks failed")            # before a restart
    words.step(uptime_s)                  # now and then
"""

from micropython import const

SLOT = "last"
_BYTES = const(480)
_LINES = const(8)
_MARK = b"last:"
_EVERY_S = const(3600)


class LastWords:
    """log: agent/log.Log. ground: agent/store.Files. memory: see firmware/hal, or None."""

    def __init__(self, log, ground, memory=None):
        self._log = log
        self._ground = ground
        self._memory = memory
        self._kept_s = -_EVERY_S
        self._seen = 0

    def tell(self, note):
        """Put what the last life left into the journal, and forget it."""
        data = self._read()
        if data[: len(_MARK)] == _MARK:
            note("last_words", str(data[len(_MARK) :], "utf-8"))
            self._write(b"")

    def keep(self, why):
        """Keep the last lines; why: what is about to happen."""
        lines = self._log.lines()[-_LINES:]
        if why:
            lines.append(why)
        text = "\n".join(lines).encode()[-_BYTES:]
        while text and text[0] & 0xC0 == 0x80:  # not within a character
            text = text[1:]
        self._write(_MARK + text)

    def step(self, uptime_s):
        """Keep what is new, where and when that is cheap."""
        log = self._log
        seen = log.errors + (log.warnings if self._memory else 0)
        if seen == self._seen:
            return
        if self._memory or uptime_s - self._kept_s >= _EVERY_S:
            self._seen = seen
            self._kept_s = uptime_s
            self.keep("")

    def _read(self):
        if self._memory:
            return bytes(self._memory())
        data = bytearray(len(_MARK) + _BYTES)
        try:
            return bytes(data[: self._ground.load(SLOT, data)])
        except OSError:
            return b""

    def _write(self, data):
        if self._memory:
            self._memory(data)
            return
        try:
            self._ground.begin(SLOT, len(data))
            self._ground.put(data, 0, len(data))
            self._ground.commit()
        except OSError:
            pass  # the journal says what is wrong with this flash
