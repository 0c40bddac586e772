"""Which certificates a handshake uses, and how new ones replace them: on trial.

Not here: TLS (firmware/net.py) and who may send a certificate (agent/commands.py). The broker's
authority and the gateway's own certificate run out; the key of the latter stays, so nothing
secret ever travels. New ones are staged beside the present ones, in DER. From the command to try
them on, attempts take turns: new, present, new ... Whatever the collector acknowledges under
decides: the new ones stay for good, or, when they have failed three times, go. So neither a
wrong certificate nor a network that is down at the wrong hour locks a gateway out. How often
they were tried outlives a restart, and what failed three times is not tried first in the next
life: a battery site may have time for one handshake in each. When a configuration names other
files than those that were replaced, its files are the present ones.

    {"do": "certificate", "args": {"part": "ca", "der": "<base64>"}}       # or part "cert"
    {"do": "certificate", "args": {"try": true}}                           # or {"drop": true}

    settings = certificates.choose(config["uplink"], acked)     # paths for this handshake
    certificates.step(acked)                                    # acked: the journal's
"""

import json
from binascii import a2b_base64, crc32

from micropython import const

from agent.orders import CannotDo

SLOT = "certificates"
PARTS = ("ca", "cert")
_TRIES = const(3)
_FAILED = "failed"
_STATE_MAX = const(128)


class Certificates:
    """ground: agent/store.Files or None: then the configuration's files are all there are.

    note(what, why): puts an event into the journal. settings: config["uplink"]
    """

    def __init__(self, ground, note, settings):
        self._ground = ground
        self._note = note
        self._base = crc32((settings["ca"] + " " + settings["cert"]).encode()) & 0xFFFFFFFF
        self._now = {}  # part: slot that holds it; absent: the configuration's file
        self._trial = {}
        self._staged = {}
        self._uses_trial = False
        self._acked = None  # the journal's, when this handshake began
        self._failed = 0  # sessions of the trial that were begun and brought no acknowledgement
        if ground is not None:
            self._load()

    @property
    def is_on_trial(self):
        """Tell whether new certificates are being tried."""
        return bool(self._trial)

    def choose(self, settings, acked):
        """Return the uplink's settings with the paths for the handshake that begins now."""
        self._uses_trial = bool(self._trial) and not self._uses_trial
        if self._uses_trial:
            self._failed += 1
            if self._failed <= _TRIES:
                self._keep(self._now, self._trial)
        self._acked = acked
        chosen = dict(settings)
        slots = dict(self._now)
        if self._uses_trial:
            slots.update(self._trial)
        for part, slot in slots.items():
            chosen[part] = self._ground.root + "/" + slot
        return chosen

    def step(self, acked):
        """Decide the trial when the collector has acknowledged more than at the handshake."""
        if not self._trial or self._acked is None or acked == self._acked:
            return
        names = ", ".join(sorted(self._trial))
        if self._uses_trial:
            now = dict(self._now)
            now.update(self._trial)
            if self._keep(now, {}):
                self._note("certificates_changed", names)
        elif self._failed >= _TRIES and self._keep(self._now, {}):
            self._note("certificates_refused", "%s: %d sessions failed" % (names, self._failed))
        self._acked = acked

    def order(self, args):
        """Do the command `certificate`. Raises CannotDo."""
        if self._ground is None:
            raise CannotDo("this gateway has no place for certificates")
        if args.get("drop") is True:
            self._staged.clear()
            self._must_keep(self._now, {})
            return {"staged": []}
        if args.get("try") is True:
            if not self._staged:
                raise CannotDo("nothing is staged")
            self._failed = 0
            self._uses_trial = False
            self._must_keep(self._now, self._staged)
            self._staged = {}
            return {"trial": sorted(self._trial)}
        return {"staged": self._stage(args.get("part"), args.get("der"))}

    def _stage(self, part, text):
        if part not in PARTS:
            raise CannotDo("part: %r is not ca or cert" % (part,))
        if self._trial:
            raise CannotDo("a trial is under way: drop it first")
        try:
            data = a2b_base64(text)
        except (ValueError, TypeError):
            raise CannotDo("der: is not base64")
        if not is_der(data):
            raise CannotDo("der: is no certificate in DER")
        slot = part + (".b" if self._now.get(part) == part + ".a" else ".a")
        try:
            self._write(slot, data)
        except OSError as error:
            raise CannotDo("it cannot be kept: %s" % error)
        self._staged[part] = slot
        return sorted(self._staged)

    def _must_keep(self, now, trial):
        if not self._keep(now, trial):
            raise CannotDo("it cannot be kept")

    def _keep(self, now, trial):
        """Make the choice durable in one step; return success."""
        tried = dict(trial)
        if tried:
            tried[_FAILED] = self._failed  # where an older firmware passes over it
        try:
            self._write(SLOT, json.dumps([now, tried, self._base]).encode())
        except OSError:
            return False
        self._now = dict(now)
        self._trial = dict(trial)
        return True

    def _write(self, slot, data):
        self._ground.begin(slot)
        self._ground.put(data, 0, len(data))
        self._ground.commit()

    def _load(self):
        data = bytearray(_STATE_MAX)
        try:
            self._ground.open()
            length = self._ground.load(SLOT, data)
            if length:
                now, trial, base = json.loads(bytes(data[:length]))
                if base == self._base:
                    self._now, self._trial = _slots(now), _slots(trial)
                    self._failed = int(trial.get(_FAILED, 0))
                    self._uses_trial = self._failed >= _TRIES
        except (OSError, ValueError, TypeError, AttributeError):
            # The configuration's own files serve: what a technician gave still opens the door.
            self._now, self._trial = {}, {}


def _slots(tree):
    """Return the parts and slots of a stored choice that can be ours."""
    return {p: s for p, s in tree.items() if p in PARTS and s in (p + ".a", p + ".b")}


def is_der(data):
    """Tell whether this is one DER sequence with a length of two bytes, as certificates are."""
    return (
        len(data) > 4
        and data[0] == 0x30
        and data[1] == 0x82
        and (data[2] << 8 | data[3]) + 4 == len(data)
    )
