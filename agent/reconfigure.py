"""A new configuration by command: in pieces, checked by the device's own rules, run on trial.

Not here: who may send one (agent/commands.py), and how the trial ends (agent/trial.py): it stays
when the collector has acknowledged something that was written under it, else the last good one
returns. Loaded only when such a command comes. Nothing is kept of a configuration with a problem.

    {"do": "configure", "args": {"at": 0, "text": "{.."}}     # again and again, "at" goes on
    {"do": "configure", "args": {"try": true}}                # checks it and restarts with it

`secrets` beside `try` ({path: value}) changes secrets, under TLS only; the others stay.
"""

from micropython import const

from agent import forget
from agent.orders import CannotDo
from agent.settings import merge, split

_MOST = const(16384)  # bytes of a configuration


class Reconfigure:
    """app: agent/app.App. settings: agent/settings.Settings of what runs."""

    def __init__(self, app, settings):
        self._app = app
        self._settings = settings
        self._staged = 0  # bytes of the target's file that came by command

    def order(self, args):
        """Do the command `configure`. Raises CannotDo: the problems are its lines."""
        try:
            if args.get("try") is True:
                return self._try(args.get("secrets", {}))
            return self._stage(args.get("at"), args.get("text"))
        except OSError as error:
            raise CannotDo("it cannot be kept: %s" % error)
        except MemoryError:
            raise CannotDo("there is no memory to check it")

    def _stage(self, at, text):
        if not isinstance(at, int) or not isinstance(text, str):
            raise CannotDo("at and text: a number and a piece of the configuration are wanted")
        if at not in (0, self._staged):
            raise CannotDo("at: %d, there are %d bytes so far" % (at, self._staged))
        data = text.encode()
        if at + len(data) > _MOST:
            raise CannotDo("text: more than %d bytes" % _MOST)
        self._settings.stage(data, at == 0)
        self._staged = at + len(data)
        return {"have": self._staged}

    def _try(self, given):
        if not self._staged:
            raise CannotDo("no configuration came since the start")
        if given and not self._app.config["uplink"]["tls"]:
            raise CannotDo("secrets: only under TLS")
        settings = self._settings
        config, secrets = settings.staged(), settings.stored(settings.running)[2]
        if config is None:
            raise CannotDo("text: is no JSON")
        problems = ["%s: is a secret: it goes with the secrets" % p for p in split(config)[1]]
        secrets.update(given)
        if not problems:
            problems = self._problems(config, secrets)
        if problems:
            raise CannotDo("\n".join(problems))
        used = split(merge(config, secrets))[1]
        bare, used = split(config)[0], {path: value for path, value in used.items() if value}
        settings.store(bare, used, True)
        self._staged = 0
        self._app.note_event("configured", "on trial from the next start on")
        return {"trial": True}

    def _problems(self, config, secrets):
        """Return the problems in the words of agent/config.py, which is dropped afterwards."""
        from agent.config import validate

        checked, problems = validate(merge(config, secrets))
        identity = self._app.identity
        for name in ("gateway", "board"):  # the journal, the keys and the wires are this one's
            if not problems and checked[name] != identity[name]:
                problems.append("%s: this is %s" % (name, identity[name]))
        forget("config")
        return problems
