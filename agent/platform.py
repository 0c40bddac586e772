"""The session with a platform that is not our collector: SenML, and PUBACK is all it promises.

Not here: the session itself (agent/uplink.py), SenML (agent/senml.py). Chosen by `format: senml`,
knowingly weaker, and `eclor check` says so: what a broker acknowledged and lost in a crash is
lost, what it delivered twice is there twice. A record leaves the journal when every pack made of
it has its PUBACK. Only blocks and events travel; a block of an earlier configuration, whose names
this gateway no longer knows, and readings of an earlier life that never learnt the time, are
counted and passed over. Readings before the first synchronisation of this life wait for it.
"""

import json

from agent.clock import UPTIME_ONLY
from agent.codec import BadBlock, clock_of
from agent.record import BLOCK, EVENT, BadRecord, check_record
from agent.senml import pack_of_event, packs_of_block
from agent.uplink import Uplink


class Platform(Uplink):
    """As agent/uplink.Uplink; `schema` (agent/report.py) and `clock` are given by the App."""

    def __init__(self, settings, journal, identity, random):
        settings = dict(settings)
        settings["acknowledge"] = "puback"
        self._packs = None  # what is left of the record that is being sent
        self._record_id = 0  # its identifier in the flight
        self._waits = b""  # payload of a block that waits for the time
        self._parts = {}  # packet identifier of a pack: identifier of its record
        super().__init__(settings, journal, identity, random)
        self._window = settings.get("window", 8)
        self._boot = identity["boot"]
        self._topic = settings.get("topic", "").encode() or self._topics.senml
        self.schema = {}
        self.clock = None
        for name in ("passed_over", "untimed"):
            self.counters[name] = 0

    def _forget(self):
        super()._forget()
        self._packs = None
        self._waits = b""
        self._parts.clear()

    def _owes(self):
        return self._parts or self._is_pinging or self._result_id

    def _welcome(self):
        """No birth: its reader would be our collector."""

    def _is_taken(self, packet_id):
        return packet_id in self._parts or super()._is_taken(packet_id)

    # -- what goes out -------------------------------------------------------------------------

    def _next_record(self):
        """Put the next pack into out, of this record or of the next one that gives any."""
        while len(self._parts) < self._window:
            if self._waits and not self._begin_block(self._waits):
                return 0
            if self._packs is None and not self._load():
                return 0
            if self._packs is None:
                continue
            try:
                pack = next(self._packs)
            except StopIteration:
                self._packs = None
                self._settle(self._record_id)
                continue
            except BadBlock:
                self.counters["passed_over"] += 1
                self._packs = iter(())
                continue
            packet_id = self._take_id()
            self._parts[packet_id] = self._record_id
            self._ask()
            return self._put(self._topic, pack, packet_id)
        return 0

    def _load(self):
        """Take the next record of the journal; False: there is none that may go."""
        self._record_id = self._take_id()
        length = self._flight.read(self._record, self._record_id, self._now)
        if not length:
            return False
        self._packs = iter(())
        try:
            kind, _, _, start, end = check_record(self._record, 0, length)
        except BadRecord:
            self.counters["passed_over"] += 1
            return True
        payload = bytes(self._record[start:end])
        if kind == BLOCK:
            self._begin_block(payload)
        elif kind == EVENT:
            event = json.loads(payload)
            if event["at_ms"]:
                self._packs = iter((pack_of_event(event, self.schema["gateway"]),))
            else:
                self.counters["untimed"] += 1
        return True

    def _begin_block(self, payload):
        """Make the packs of a block; False while it waits for the time."""
        self._waits = b""
        to_wall_ms = _same
        clock, boot = clock_of(payload)
        if clock == UPTIME_ONLY:
            if boot != self._boot:
                self.counters["untimed"] += 1
                self._packs = iter(())
                return True
            if self.clock.state == UPTIME_ONLY:
                self._packs = None
                self._waits = payload
                return False
            to_wall_ms = self.clock.wall_ms_of_uptime
        if "".join(["%02x" % b for b in payload[1:5]]) != self.schema["config"]:
            self.counters["passed_over"] += 1
            self._packs = iter(())
            return True
        self._packs = iter(packs_of_block(payload, self.schema, to_wall_ms))
        return True

    # -- what comes in -------------------------------------------------------------------------

    def _on_puback(self, packet_id):
        record_id = self._parts.pop(packet_id, 0)
        if record_id:
            self.counters["pubacks"] += 1
            self._settle(record_id)
        else:
            super()._on_puback(packet_id)

    def _settle(self, record_id):
        """Free the record when all its packs were made and none waits."""
        if self._packs is not None and record_id == self._record_id:
            return
        if record_id not in self._parts.values():
            super()._on_puback(record_id)


def _same(at_ms):
    return at_ms
