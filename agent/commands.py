"""Commands from upstream: authenticated for this gateway, unexpired, never twice.

Not here: what a command does (the app gives the handlers) and how it travels (agent/uplink.py).

The payload is a JSON object followed by 16 bytes of HMAC-SHA-256 under the gateway's own key
(agent/mac.py, context "cmd" + gateway), so a broker can delay or drop a command, not make one,
change one, repeat one, or send one gateway's command to another.

    {"gateway": "gw-ecole", "id": "a1", "counter": 17, "until_ms": 1800000000000,
     "do": "set_interval", "args": {"meter": "main", "interval_s": 60}}

Every authentic command is answered: {"id", "counter", "ok", "result" | "why"}. What is not
authentic gets no answer, so that a broker cannot use the gateway as an oracle or an echo: it is
counted, and the health record carries the counters.
"""

import json

from agent.clock import UPTIME_ONLY
from agent.mac import TAG_BYTES, Mac
from agent.orders import COUNTER_MAX, CannotDo


class Commands:
    """Checks, runs and answers.

    mac: agent/keys.Keys, or a Mac. last: the highest counter ever taken, from flash.
    save(counter): makes it durable before the command runs: a power cut may lose a command,
    never repeat one.
    handlers: {name: function(args dict) -> JSON tree}, raising CannotDo.
    counts: dict, one entry for each thing that ever became of a command: done, failed, forged,
    malformed, foreign, old, expired, clock_unset.
    """

    def __init__(self, gateway, mac, clock, last, save, handlers, counts=None):
        self._gateway = gateway
        self._context = b"cmd" + gateway.encode()
        self.mac = mac
        self._clock = clock
        self.last = last
        self._save = save
        self._handlers = handlers
        self.counts = {} if counts is None else counts

    def take(self, payload, now_ms):
        """Check and run one payload; return the result as bytes, or None for a forgery."""
        end = len(payload)
        if not self.mac.check(self._context, payload, 0, end):
            self._count("forged")
            return None
        tree = _parse(bytes(payload[: end - TAG_BYTES]))
        if tree is None:
            self._count("malformed")
            return json.dumps({"id": "", "counter": 0, "ok": False, "why": "malformed"}).encode()
        refusal = self._refusal(tree, now_ms)
        if refusal:
            self._count(refusal)
            return _answer(tree, False, "why", refusal)
        self.last = tree["counter"]
        try:
            self._save(self.last)
        except OSError as error:  # it could be repeated after a restart: it does not run
            self._count("failed")
            return _answer(tree, False, "why", "the counter cannot be kept: %s" % error)
        handler = self._handlers.get(tree["do"])
        if handler is None:
            self._count("failed")
            return _answer(tree, False, "why", "no command %s" % tree["do"])
        try:
            result = handler(tree["args"])
        except CannotDo as error:
            self._count("failed")
            return _answer(tree, False, "why", str(error))
        self._count("done")
        return _answer(tree, True, "result", result)

    def _count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def _refusal(self, tree, now_ms):
        """Return why an authentic command must not run, "" when it may."""
        if tree["gateway"] != self._gateway:
            return "foreign"
        if tree["counter"] <= self.last:
            return "old"
        wall_ms, state = self._clock.wall_ms_at(now_ms)
        if state == UPTIME_ONLY:
            return "clock_unset"
        if wall_ms > tree["until_ms"]:
            return "expired"
        return ""


def seal(key, tree):
    """Return the payload of a command; tree has the six fields above."""
    body = json.dumps(tree).encode()
    return body + Mac(key).tag(b"cmd" + tree["gateway"].encode(), body)


def _answer(tree, done, name, value):
    return json.dumps(
        {"id": tree["id"], "counter": tree["counter"], "ok": done, name: value}
    ).encode()


def _parse(body):
    """Return the command's fields, None unless all six are there and of their types."""
    try:
        tree = json.loads(body)
    except ValueError:
        return None
    if not isinstance(tree, dict):
        return None
    for name in ("gateway", "id", "do"):
        if not isinstance(tree.get(name), str):
            return None
    for name in ("counter", "until_ms"):
        value = tree.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            return None
    if tree["counter"] > COUNTER_MAX or not isinstance(tree.get("args"), dict):
        return None
    return tree
