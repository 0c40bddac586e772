"""The collector behind the broker of a virtual gateway: what it keeps, asks, and says is gone.

    collector = Collector(b"gw", 99, key=bytes(32))
    collector.order("reboot", {})            # sent, and sent again, until it is answered
    collector.tend(wall_ms)                  # before each pump(): commands that are due
    collector.back_up(); collector.restore() # the database is that of a backup from now on

Its rules are host_tools/collect's (its README, "Promises"): what has content keeps it, a LOST
record and a restored database's missing numbers are declared gaps, an acknowledgement says up to
where everything is stored or declared gone. With a key it checks and makes every MAC.
"""

import json

from agent.commands import seal
from agent.mac import TAG_BYTES, Mac
from agent.record import LOST, check_record, pack_lost
from tests.fakes.broker import Broker

_LOST_KIND = bytes((LOST,))
_PATIENCE_MS = 3600 * 1000  # an unanswered command is sent again
_VALID_MS = 30 * 86400 * 1000
_PIECE = 2048


class CarefulBroker(Broker):
    """Notes every record whose content changed under a number that it already had."""

    def __init__(self, gateway, journal_id):
        super().__init__(gateway, journal_id)
        self.changed = []
        self._holes = []  # (first, last) that the gateway said it no longer has
        self._through = 0

    def contiguous(self):
        """Return the highest seq up to which everything is stored or declared lost."""
        while True:
            if self._through + 1 in self.stored:
                self._through += 1
                continue
            beyond = [last for first, last in self._holes if first <= self._through + 1 <= last]
            if not beyond:
                return self._through
            self._through = beyond[0]

    def records(self):
        """Return what is stored, in the order of the numbers."""
        return [self.stored[seq] for seq in sorted(self.stored)]

    def _publish(self, first, body):
        at = 2 + int.from_bytes(body[:2], "big") + 2  # where it begins, if this is a record
        seq = int.from_bytes(body[at + 4 : at + 8], "big")
        before = self.stored.get(seq)
        if body[at + 1 : at + 2] == _LOST_KIND and not self.lose_acknowledged:
            end = at + 16 + int.from_bytes(body[at + 2 : at + 4], "big")
            _, _, _, start, end = check_record(body, at, end)
            tree = json.loads(body[start:end])
            self._holes.append((tree["first"], tree["last"]))
        super()._publish(first, body)
        if before is None or self.stored[seq] == before:
            return
        if before[1] == LOST and self.stored[seq][1] != LOST:
            return  # it could not be read, was declared, and came after all: it is stored
        if self.stored[seq][1] != LOST:
            self.changed.append(seq)
        self.stored[seq] = before  # whoever has the content keeps it


class Collector(CarefulBroker):
    """One that shares a key with its gateway, gives orders, and can lose its database.

    releases   {id of 4 bytes: bundle} that the gateway may fetch
    answers    [(what was ordered, whether it was done, its result or why not)]
    """

    def __init__(self, gateway, journal_id, key):
        super().__init__(gateway, journal_id)
        self._name = gateway
        self._mac = Mac(key)
        self._key = key
        self._cmd = self._base + b"cmd"
        self._orders = []  # (do, args) in order
        self._counter = 0
        self._sent_ms = None  # when the first of them was sent last
        self._forgotten = []  # (first, last) that nobody has any more
        self._backup: tuple = ({}, [], [])
        self._is_restored = False
        self._born = None  # the journal of the last birth: of another one while it is blind
        self.releases = {}
        self.answers = []

    # --- orders

    def order(self, do, args):
        """Put an order behind those that are not answered yet."""
        self._orders.append((do, args))

    def tend(self, wall_ms):
        """Send the first order that has no answer, now and then again."""
        if not self._orders or not self.connected or self.mute:
            return
        if self._sent_ms is not None and wall_ms - self._sent_ms < _PATIENCE_MS:
            return
        self._sent_ms = wall_ms
        self._counter += 1
        do, args = self._orders[0]
        tree = {"gateway": self._name.decode(), "id": "%d" % self._counter}
        tree.update({"counter": self._counter, "until_ms": wall_ms + _VALID_MS})
        tree.update({"do": do, "args": args})
        self.send(self._cmd, seal(self._key, tree))

    @property
    def is_idle(self):
        """Tell whether every order was answered."""
        return not self._orders

    def _take_result(self, tree):
        if "want" in tree:
            self._send_piece(tree)
        elif self._orders and tree["id"] == "%d" % self._counter:
            if not tree["ok"] and tree["why"] in ("clock_unset", "expired"):
                return  # tend() asks again, later
            do, _ = self._orders.pop(0)
            self._sent_ms = None
            self.answers.append((do, tree["ok"], tree.get("result", tree.get("why"))))

    def _send_piece(self, tree):
        release = self.releases.get(tree["want"])
        if release is None:
            return
        at, end = tree["at"], tree["at"] + tree["bytes"]
        while at < end:
            data = release[at : min(end, at + _PIECE)]
            if not data:
                return
            body = b"\x01" + bytes.fromhex(tree["want"]) + at.to_bytes(4, "big") + data
            self.send(self._cmd, body + self._mac.tag(b"chunk" + self._name, body))
            at += len(data)

    # --- the database

    def back_up(self):
        """Make a copy of the database."""
        self._backup = (dict(self.stored), list(self._holes), list(self._forgotten))

    def restore(self):
        """Go on with the last copy of the database, as after the loss of the disk."""
        stored, holes, forgotten = self._backup
        self.stored = dict(stored)
        self._holes = list(holes)
        self._forgotten = list(forgotten)
        self._through = 0
        self._is_restored = True

    def _learn_first(self, first):
        """What lies below the lowest number that the gateway holds, and is not here, is gone."""
        if not self._is_restored or self._born != self._journal_id:
            return
        self._is_restored = False
        seq = self.contiguous() + 1
        while seq < first:
            last = seq
            while last + 1 < first and last + 1 not in self.stored:
                last += 1
            self._holes.append((seq, last))
            self._forgotten.append((seq, last))
            seq = self.contiguous() + 1

    def records(self):
        """As CarefulBroker.records(), with what it declares gone itself between.

        Some of it may have come after all, from a gateway that had lost the acknowledgement.
        """
        found = dict(self.stored)
        for first, last in self._forgotten:
            begun = first
            for seq in range(first, last + 1):
                if seq not in self.stored and (seq == last or seq + 1 in self.stored):
                    out = bytearray(256)
                    length = pack_lost(out, self._journal_id, begun, seq, "forgotten")
                    found[seq] = bytes(out[:length])
                if seq in self.stored:
                    begun = seq + 1
        return [found[seq] for seq in sorted(found)]

    # --- what comes and goes

    def send_ack(self, seq, journal_id=None):
        """Publish an acknowledgement with its MAC."""
        who = self._journal_id if journal_id is None else journal_id
        data = who.to_bytes(4, "big") + seq.to_bytes(4, "big")
        self.send(self._base + b"ack", data + self._mac.tag(b"ack" + self._name, data))

    def _publish(self, first, body):
        end = 2 + int.from_bytes(body[:2], "big")
        what = body[2 + len(self._base) : end]
        at = end + 2 if first & 6 else end
        if what == b"result":
            self._take_result(json.loads(body[at:]))
        elif what == b"birth" and not self.lose_acknowledged:
            tree = json.loads(body[at:-TAG_BYTES])
            self._born = tree["journal"]
            self._learn_first(tree["first"])
        elif what == b"state" and self._is_restored and not self.lose_acknowledged:
            self._learn_first(json.loads(body[at:])["records"][0])
        super()._publish(first, body)
        if what == b"rec":
            tag = self._mac.tag(b"rec" + self._name, body[at : len(body) - TAG_BYTES])
            if tag != body[len(body) - TAG_BYTES :]:
                self.changed.append(int.from_bytes(body[at + 4 : at + 8], "big"))
