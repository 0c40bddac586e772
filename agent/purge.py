"""Makes the flash forget what was sent: the command `purge`, to be proved on an image of it.

Not here: what goes upstream at all (privacy.py). An acknowledged record leaves the journal, but
not the flash: what a file system calls free keeps its bytes until they are erased for something
else. A purge waits until the collector has everything from before the command, so that nothing
is lost; then the slots are written anew and the free space is overwritten, a piece at a time in
quiet moments, while the meters are read on. The event `purged` says that it is done. A restart in
between ends it without that event: command it again.

    purge = Purge(app, [journal.ground, ground])
    purge.begin()               # {"waits_for": 12}
    purge.step(quiet)           # from App.step; purge.state says how far it is
"""

from micropython import const

_NOTHING = const(0)
_DRAINS = const(1)
_SCRUBS = const(2)
_NAMES = ("", "waits for acknowledgements", "overwrites what is free")


class Purge:
    """app: agent/app.App; grounds: every agent/store ground that readings were on."""

    def __init__(self, app, grounds):
        self._app = app
        self._grounds = [ground for ground in grounds if ground is not None]
        self._step = _NOTHING
        self._through = 0
        self._at = 0  # the ground that is being overwritten
        self.pieces = 0
        self.why = ""

    @property
    def state(self):
        """How far it is, as text; "" when none is under way."""
        return self.why or _NAMES[self._step]

    def begin(self):
        """Begin: everything read so far is sealed, and has to be acknowledged."""
        self._app.seal_all()
        journal = self._app.journal
        journal.sync()
        self._through = journal.next - 1
        self._step = _DRAINS
        self._at = self.pieces = 0
        self.why = ""
        return {"waits_for": self._through - journal.acked}

    def step(self, quiet):
        """Do one piece when no line is talking."""
        if not self._step or not quiet:
            return
        if self._step == _DRAINS:
            self._drain()
            return
        try:
            if self._grounds[self._at].scrub():
                self.pieces += 1
                return
        except OSError as error:
            self._grounds[self._at].recover()
            self._step = _NOTHING
            self.why = "failed: %s" % error
            self._app.note_event("purge_failed", str(error))
            return
        self._at += 1
        if self._at == len(self._grounds):
            self._step = _NOTHING
            self._app.note_event("purged", "records through %d" % self._through)

    def _drain(self):
        """Go on when neither a segment nor the tail holds a record from before."""
        journal = self._app.journal
        if journal.acked < self._through:
            return
        if journal.segments and journal.segments[0] <= self._through:
            return  # housekeep() removes it once all of it is acknowledged
        self._app.save(self._app.now_ms)
        if journal.renew():
            self._step = _SCRUBS
