"""What changes a gateway's settings, each as a story from a fresh gateway to its end.

A new configuration by cable and by downlink, with its secrets and certificates, that stays, that
is refused, that cannot be started; certificates and the key replaced by command; the small files
beside the slots. Not here: one start (change_life.py) and where power goes (change_worlds.py).
"""

import json
from binascii import b2a_base64

from agent.certificates import Certificates
from agent.clock import Clock
from agent.floor import Floor
from agent.keys import Keys, following, name_of
from agent.last_words import LastWords
from agent.log import Log
from agent.orders import Orders
from agent.reconfigure import Reconfigure
from agent.sleep import Sleep
from agent.supply import count_brownouts
from agent.trial import Trial, tell
from agent.upgrade import Upgrade
from tests.system.tally import Violation

POINT: list = []  # of the gateway's own key, which every flash here has
_UPDATE = {"settle_s": 1, "trial_s": 100}


def _der(content):
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def _tree(label, parts):
    """Return a configuration as a technician writes it."""
    tree = {
        "gateway": "gw",
        "site": label * 30,
        "board": "host",
        "ports": [{"name": "line", "uart": "uart1"}],
        "meters": [{"name": "m", "port": "line", "protocol": "modbus", "map": "sdm630"}],
        "uplink": {"host": "h", "tls": True},
        "network": {"wifi": [{"ssid": "mairie"}]},
    }
    tree["uplink"].update(parts)  # type: ignore[attr-defined]
    return tree


def _secrets(label):
    return {
        "uplink.key": {"old": "1", "new": "2"}[label] * 64,
        "network.wifi.mairie.key": label * 4,
    }


class Story:
    """A change from a fresh gateway to its end, whatever power cuts there were before.

    go(life): do what a start with that state would do; true: the end is reached
    check(life): raise Violation for a small file that is neither old nor new
    """

    def __init__(self, modules, before=None):
        """modules: of a flash, for what depends on the gateway's own key; before: made it once."""
        if before:
            self.trees = before.trees
            self.certificates = before.certificates
            return
        keys = {}
        trees = {}
        for label in ("old", "new"):
            parts, files = {}, {}
            marks = self.marks(label)
            for part, name in (("ca", "ca"), ("cert", "own")):
                data = _der(b"%s of %s " % (part.encode(), marks.encode()) * 12 + POINT[0])
                keys[label, part] = data
                path = "certs/%s-%s.der" % (name, modules.provision.fingerprint(data))
                parts[part] = path
                files[path] = data
            parts["cert_key"] = "certs/own.key"
            whole = modules.settings.merge(_tree(label, parts), _secrets(label))
            trees[label] = (whole, files)
        self.trees = trees
        self.certificates = keys

    def marks(self, label):
        """Return whose certificates go with a configuration."""
        return label

    def prepare(self, modules):
        """Provision the old configuration."""
        modules.ask(modules.provision.request, "gw", "00")
        answer = modules.ask(modules.provision.take, self.order("old", False))
        assert answer["ok"], answer

    def order(self, label, on_trial):
        """Return what the cable brings."""
        given = {p: str(b2a_base64(self.certificates[label, p]), "ascii") for p in ("ca", "cert")}
        order = {"config": _tree(label, {}), "secrets": _secrets(label), "trial": on_trial}
        order["certificates"] = given
        return json.dumps(order)

    def check(self, life):
        """Check what the start itself has not."""

    def go(self, life):
        raise NotImplementedError


class Cable(Story):
    """A configuration by cable that proves itself."""

    is_kept = True
    cause = "power"
    refused = False

    def go(self, life):
        settings = life.settings
        tell(settings, life.note_event)
        if settings.is_on_trial:
            return self.judge(life)
        if life.label == "new" or self.refused:
            return True
        self.bring(life)
        return False

    def bring(self, life):
        """Let the new one come."""
        provision = life.modules.provision
        answer = life.modules.ask(provision.take, self.order("new", True))
        if not answer["ok"] or not answer["trial"]:
            raise Violation("unbootable", "%s" % answer)

    def judge(self, life):
        """Let its trial decide."""
        self.refused = not self.is_kept
        trial = self._trial(life)
        for uptime_s in range(0, 200, 20):
            if trial.step(uptime_s, life.journal.durable + 9 if self.is_kept else 0, 0, 0):
                return False
            if trial.is_over:
                return True
        raise Violation("unbootable", "the trial has no end")

    def _trial(self, life):
        """Return the trial as agent/upgrade.py makes it."""
        note = life.note_event
        return Trial(life.settings, self.cause, life.journal.next, _UPDATE, note, lambda: None)


class CableRefused(Cable):
    """One that cuts the gateway off: its time runs out."""

    is_kept = False


class CableFailing(Cable):
    """One under which no life lasts: its starts run out."""

    is_kept = False
    cause = "watchdog"

    def judge(self, life):
        self.refused = True
        self._trial(life)
        return False


class Downlink(Cable):
    """A configuration by command, in pieces; its secrets come with it, the certificates stay."""

    def marks(self, label):
        return "old"

    def bring(self, life):
        change = Reconfigure(life, life.settings)
        bare = life.modules.settings.split(life.trees["new"][0])[0]
        text = json.dumps(bare)
        for at in range(0, len(text), 200):
            change.order({"at": at, "text": text[at : at + 200]})
        change.order({"try": True, "secrets": _secrets("new")})


class DownlinkRefused(Downlink):
    """One that cuts the gateway off."""

    is_kept = False


class Rows(Story):
    """Small contents, each replaced twice: at every cut it is the one before or the one after."""

    rows: tuple = ()

    def check(self, life):
        for name, _, read in self.rows:
            allowed = life.told.get(name)
            if allowed is None:
                continue
            found = read(life)
            if found not in allowed:
                raise Violation("mixed", "%s is %r, not of %r" % (name, found, allowed))
            life.told[name] = [found]

    def go(self, life):
        told = life.told
        for _ in range(2):
            for name, write, read in self.rows:
                before = read(life)
                after, work = write(life, before)
                told[name] = [before, after]
                work()
                told[name] = [after]
                if read(life) != after:
                    raise Violation("mixed", "%s is %r, not %r" % (name, read(life), after))
            life.note_event("changed", "")
        return True


def _load(life, slot, size=512):
    data = bytearray(size)
    return bytes(data[: life.ground.load(slot, data)])


class _Sleeper:
    """What agent/sleep.py asks of the App."""

    def __init__(self, life, boot):
        self.clock = Clock(boot=boot)
        self.log = Log(2)
        self.journal = life.journal
        self.forecast = self
        self.meters = [self]
        self.state = 1
        self.config_hash = b"hash"

    def span(self):
        return 0, 0, 0


_POWER = {"uplink_every": 1, "awake_s": 60}


def _write_sleep(life, before):
    boot = (before or 0) + 1
    sleep = Sleep(_POWER, life.ground, "power")
    sleep._began_ms = 0
    return boot, lambda: sleep._keep(_Sleeper(life, boot), 0, 60000, False)


def _read_sleep(life):
    sleep = Sleep(_POWER, life.ground, "sleep")
    return sleep._row[2] if sleep.is_planned else None


def _write_tried(life, before):
    number = bytes([(before or b"\0")[0] + 1]) * 4
    upgrade = Upgrade(life, None, b"", life.ground, life.settings)
    return number, lambda: upgrade._note_tried(number)


def _write_brownouts(life, before):
    count = int.from_bytes(before or b"", "big") + 1
    return count.to_bytes(4, "big"), lambda: count_brownouts(life.ground)


def _write_led(life, before):
    led = "25" if before == b"LED" else "LED"
    return led.encode(), lambda: life.modules.slots.leave_led(life.root, led)


class _Board:
    """What boot.maintain() wants of a board."""

    def __init__(self, root):
        self.root = root

    def reset(self):
        pass


def _write_maintenance(life, before):
    boot = life.modules.boot
    if before is None:
        return b"5", lambda: boot.maintain(5, _Board(life.root))
    return None, lambda: boot.maintenance_min(life.root)


def _write_counter(life, before):
    orders = Orders(life, None, life.ground)
    return before + 1, lambda: orders._save(before + 1)


def _write_words(life, before):
    words = LastWords(Log(2), life.ground)
    if before:
        return b"", lambda: words.tell(life.note_event)
    return b"last:it was dark", lambda: words.keep("it was dark")


def _write_assumed(life, before):
    floor = Floor(Clock(), life.ground)
    return not before, lambda: floor._keep(not before)


_KEY = bytes(range(32))


def _read_key(life):
    keys = Keys("gw", _KEY, life.ground, lambda what, why: None)
    return name_of(keys._key), keys.trial


def _write_key(life, before):
    keys = Keys("gw", _KEY, life.ground, lambda what, why: None)
    if before[1]:
        tag = keys._next_mac.tag(b"ack", b"message")
        data = b"message" + tag
        return (before[1], ""), lambda: keys.check(b"ack", data, 0, len(data))
    new = name_of(following(keys._key, "gw", _KEY))
    return (before[0], new), lambda: keys.order({"nonce": "".join(["%02x" % b for b in _KEY])})


def _write_release_keys(life, before):
    keys = bytes([(before or b"\0")[0] + 1]) * 384

    def work():
        answer = life.modules.ask(
            life.modules.provision.take,
            json.dumps({"config": _tree("old", _parts(life)), "release_keys": _hex(keys)}),
        )
        assert answer["ok"], answer

    return keys, work


def _hex(data):
    return "".join(["%02x" % b for b in data])


def _parts(life):
    uplink = life.trees["old"][0]["uplink"]
    return {name: uplink[name] for name in ("ca", "cert", "cert_key")}


class SmallFiles(Rows):
    """What lies beside slots and settings."""

    rows = (
        ("sleep", _write_sleep, _read_sleep),
        ("tried", _write_tried, lambda life: _load(life, "tried") or None),
        ("brownouts", _write_brownouts, lambda life: _load(life, "brownouts") or None),
        ("led", _write_led, lambda life: life.read("/led") or None),
        ("maintenance", _write_maintenance, lambda life: life.read("/maintenance")),
        ("counter", _write_counter, lambda life: Orders(life, None, life.ground)._load()),
        ("last", _write_words, lambda life: _load(life, "last")),
        ("clock", _write_assumed, lambda life: Floor(Clock(), life.ground)._is_assumed),
        ("key", _write_key, _read_key),
        ("keys", _write_release_keys, lambda life: _load(life, "keys") or None),
    )

    def check(self, life):
        if life.minutes:  # this start has taken it away
            # A name without a content: it was asked for, boot.py takes its usual time.
            if life.minutes not in (5, 30) or b"5" not in life.told.get("maintenance", ()):
                raise Violation("mixed", "maintenance of %d min" % life.minutes)
            life.told["maintenance"] = [None]
        super().check(life)


def _certificates(life, note=None):
    return Certificates(
        life.ground, note or (lambda what, why: None), life.trees["old"][0]["uplink"]
    )


def _served(life, chosen):
    """Return the number of both certificates of a handshake; 0: the configuration's own."""
    numbers = []
    for part in ("ca", "cert"):
        path = chosen[part]
        path = path[len(life.root) :] if life.root and path.startswith(life.root) else path
        data = life.read(path if path.startswith("/") else "/" + path)
        at = data.find(b"number ") if data else -1
        numbers.append(data[at + 7] if at >= 0 else 0)
    if numbers[0] != numbers[1]:
        raise Violation("mixed", "certificates %s at one handshake" % numbers)
    return numbers[0]


def _read_certificates(life):
    """Return the numbers that the next two handshakes take: (now, trial), equal without one."""
    certificates = _certificates(life)
    uplink = life.trees["old"][0]["uplink"]
    served = [_served(life, certificates.choose(uplink, 1)) for _ in range(2)]
    return (min(served), max(served))  # a trial is of a later number, and need not come first


def _stage_certificates(life, before):
    number = before[0] + 1
    certificates = _certificates(life, life.note_event)

    def work():
        for part in ("ca", "cert"):
            data = _der(b"number %c of %s " % (number, part.encode()) * 15)
            certificates.order({"part": part, "der": str(b2a_base64(data), "ascii")})
        certificates.order({"try": True})

    return (before[0], number), work


def _end_trial(life, before, is_good):
    certificates = _certificates(life, life.note_event)
    uplink = life.trees["old"][0]["uplink"]

    def work():
        tries = 1 if is_good else 4
        while tries:  # the present ones come first where the others have failed before
            tries -= _served(life, certificates.choose(uplink, 1)) == before[1]
        if not is_good:
            certificates.choose(uplink, 1)
        certificates.step(2)

    end = before[1] if is_good else before[0]
    return (end, end), work


def _write_certificates(life, before):
    if before[0] == before[1]:
        return _stage_certificates(life, before)
    return _end_trial(life, before, before[1] % 3 != 2)  # the second one is refused


class CertificatesByCommand(Rows):
    """New certificates on trial: taken, refused, taken; a handshake never takes half of them."""

    rows = (("certificates", _write_certificates, _read_certificates),)

    def go(self, life):
        for _ in range(3):
            super().go(life)
        return True


class OwnKey(Story):
    """The gateway's own key, made once: at every cut it is absent or whole, and then it stays."""

    def prepare(self, modules):
        modules.settings.Settings(modules.root).store(
            modules.settings.split(self.trees["old"][0])[0], _secrets("old"), False
        )
        for path, data in self.trees["old"][1].items():
            modules.provision._write(modules.root, path, data)

    def check(self, life):
        found = life.modules.ask(life.modules.provision.identity)
        allowed = life.told.get("key", [""])
        if found["key"] not in allowed or found["note"]:
            raise Violation("mixed", "%s, not of %s" % (found, allowed))
        life.told["key"] = [found["key"]]

    def go(self, life):
        life.told["key"] = ["", life.modules.provision.fingerprint(POINT[0])]
        answer = life.modules.ask(life.modules.provision.request, "gw", "00")
        life.told["key"] = [answer["key"]]
        return answer["ok"]


STORIES = {
    "cable-kept": Cable,
    "cable-refused": CableRefused,
    "cable-failing": CableFailing,
    "downlink-kept": Downlink,
    "downlink-refused": DownlinkRefused,
    "certificates": CertificatesByCommand,
    "small-files": SmallFiles,
    "own-key": OwnKey,
}
