"""The configuration and its secrets on the flash: two pairs of files and who is in force.

/config-a.json    a configuration; no secret is in it, anybody may read it
/secrets-a.json   its secrets by path, {"uplink.key": "..", "network.wifi.mairie.key": ".."}; then
                  a line "number crc": of the pair, the higher is newer; CRC-32 of both files
/settings         active, trial, tries, fails, spent, note: the line of /slot (agent/slots.py)

A pair is whole when its CRC says so: a configuration is never run with the secrets of another.
/settings is the switch, by littlefs in one commit, so a power cut leaves the old pair or the new
one. A new pair runs on trial as a firmware does (agent/trial.py): each start is counted before
anything of it is used, and the last good one returns after TRIES starts without a confirmation.

Not here: the rules of a configuration (agent/config.py), and who may change one
(firmware/provision.py by cable, agent/reconfigure.py by command).

    settings = Settings("/flash")
    tree = settings.choose()           # with its secrets; None: settings.why says what is missing
"""

import json
from binascii import crc32

from agent.slots import NO_TRIAL, Pair, read_line

SECRETS = ("key", "password", "auth_key")  # fields of these names, wherever they stand


class Settings(Pair):
    """root: of the file system. running is "" until choose() has found something to run."""

    FILE = "/settings"
    TRIES = 2  # less than boot.py grants a firmware: a bad configuration must not cost one
    WHAT = "settings"

    def __init__(self, root):
        super().__init__(root, "", ["a", NO_TRIAL, 0, 0, 0, ""])
        self.why = ""

    def look(self):
        """Read who is in force; without a line to read it is the newest whole pair."""
        try:
            with open(self.root + self.FILE, "rb") as file:
                state = read_line(file.read(400))
        except OSError:
            state = None
        if state is None:
            found = {which: self.number(which) for which in "ab"}
            newest = "b" if found["b"] > found["a"] else "a"
            note = "/settings was unreadable" if found[newest] else ""
            state = [newest, NO_TRIAL, 0, 0, 0, note]
        self.state = state

    @property
    def target(self):
        """Where the next one goes: beside the one in force, which a trial is not."""
        return "b" if self.state[0] == "a" else "a"

    def choose(self):
        """Return the configuration to run now, None when there is none; count a trial's start."""
        self.look()
        active, trial, tries = self.state[:3]
        if trial != NO_TRIAL:
            tree = self.load(trial) if tries else None
            why = "no tries left" if not tries else self.why
            if tree is not None:
                try:
                    self.write(self.state[:2] + [tries - 1] + self.state[3:])
                    self.running = trial
                    return tree
                except OSError as error:
                    why = "its tries cannot be counted: %s" % error
            self.roll_back(why)
        tree = self.load(active)
        if tree is not None:
            self.running = active
            return tree
        other = self.target
        tree = self.load(other)
        if tree is not None:
            self.roll_back(self.why, other)
            self.running = other
        return tree

    def roll_back(self, why, good=""):
        """Put the last good pair in force instead of the trial; why: said upstream."""
        active, trial = self.state[:2]
        bad = active if good else trial
        state = [good or active, NO_TRIAL, 0, 0, 0, "rolled back from %s: %s" % (bad, why)]
        try:
            self.write(state)
        except OSError:
            self.state = state  # the tries run out
        self.running = ""

    def load(self, which):
        """Return a configuration with its secrets; None, and why, when the pair is not whole."""
        number, config, secrets = self._read(which)
        if not number:
            return None
        try:
            return merge(json.loads(config), json.loads(secrets))
        except ValueError:
            self.why = "the configuration is damaged"
            return None

    def stored(self, which):
        """Return (bytes, tree without a secret, secrets) of a pair; all empty: it is not whole."""
        number, config, secrets = self._read(which)
        return (config, json.loads(config), json.loads(secrets)) if number else (b"", {}, {})

    def number(self, which):
        """Return the number of a whole pair, 0 for any other."""
        return self._read(which)[0]

    def _read(self, which):
        try:
            with open(self.root + config_name(which), "rb") as file:
                config = file.read()
            with open(self.root + secrets_name(which), "rb") as file:
                body, _, line = file.read().rpartition(b"\n")
        except OSError:
            self.why = "there is no configuration"
            return 0, b"", b""
        words = line.split(b" ")
        if len(words) != 2 or words[1] != b"%08x" % _crc(config, body) or not words[0].isdigit():
            self.why = "the configuration is damaged"
            return 0, b"", b""
        return int(words[0]), config, body

    def stage(self, data, is_first):
        """Add bytes to the configuration that is coming; with the secrets there it is no pair."""
        with open(self.root + config_name(self.target), "wb" if is_first else "ab") as file:
            file.write(data)

    def staged(self):
        """Return what came as a tree, None when it is none."""
        try:
            with open(self.root + config_name(self.target), "rb") as file:
                return json.loads(file.read())
        except (OSError, ValueError):
            return None

    def store(self, config, secrets, on_trial):
        """Keep a pair beside the one in force, durable; it runs from the next start on.

        config: without a secret. on_trial: false puts it in force at once; so does a gateway
        that has nothing to fall back to. Return "a" or "b". Raises OSError: then what was in
        force still is.
        """
        self.look()
        active = self.state[0]
        new = self.target
        old = self.number(active)
        data = pack(config, secrets, max(old, self.number(new)) + 1)
        for name, content in ((config_name(new), data[0]), (secrets_name(new), data[1])):
            with open(self.root + name, "wb") as file:
                file.write(content)
        if not self.number(new):
            raise OSError(5)
        if on_trial and old:
            self.write([active, new, self.TRIES, 0, 0, ""])
        else:
            self.write([new, NO_TRIAL, 0, 0, 0, ""])
        return new

    def remove(self, which):
        """Forget a pair."""
        self.delete(secrets_name(which))
        self.delete(config_name(which))


def config_name(which):
    """Return the path of a configuration below the root."""
    return "/config-%s.json" % which


def secrets_name(which):
    """Return the path of its secrets below the root."""
    return "/secrets-%s.json" % which


def pack(config, secrets, number):
    """Return the contents of both files of a pair."""
    data = json.dumps(config).encode()
    body = json.dumps(secrets).encode()
    return data, body + b"\n%d %08x" % (number, _crc(data, body))


def _crc(config, body):
    return crc32(body, crc32(config)) & 0xFFFFFFFF


def merge(tree, secrets, path=""):
    """Put secrets into a configuration where their paths say; return it."""
    if not isinstance(tree, dict):
        return tree
    if not path:
        for name in secrets:
            section, _, rest = name.partition(".")
            if rest in SECRETS:
                tree.setdefault(section, {})
    for place, value in _below(tree, path):
        merge(value, secrets, place)
    for name in SECRETS:
        if path + name in secrets:
            tree[name] = secrets[path + name]
    return tree


def split(tree, path="", secrets=None):
    """Return (configuration without a secret, secrets by path); tree is not changed.

    A row of a list is called by its `ssid` or `name`.
    """
    secrets = {} if secrets is None else secrets
    if isinstance(tree, list):
        rows = [split(row, path + _name(row), secrets)[0] for row in tree]
        return rows, secrets
    if not isinstance(tree, dict):
        return tree, secrets
    bare = {}
    for key, value in tree.items():
        if key in SECRETS:
            secrets[path + key] = value
        else:
            bare[key] = split(value, "%s%s." % (path, key), secrets)[0]
    return bare, secrets


def _below(tree, path):
    """Yield (path, dict) of what is right below a dict, the rows of its lists too."""
    for key, value in list(tree.items()):
        place = "%s%s." % (path, key)
        if isinstance(value, dict):
            yield place, value
        elif isinstance(value, list):
            for row in value:
                if isinstance(row, dict):
                    yield place + _name(row), row


def _name(row):
    if not isinstance(row, dict):
        return ""
    return "%s." % row.get("ssid", row.get("name", ""))
