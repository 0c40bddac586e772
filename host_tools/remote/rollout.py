"""A firmware to a fleet in waves: each proves itself before the next begins; it stops by itself.

Not here: bytes and commands (serve_bundle.py), what a gateway decides alone (agent/update.py
and trial.py). Plain and without a clock: step() is told what was heard and what time it is.

    rollout = Rollout(bundle, ["gw-a", "gw-b"], waves=[5, 25, 100], kept=Path("rollout.json"))
    for gateway in rollout.step(server.heard, now_s):
        server.offer(gateway, counter)
    rollout.state                   # GOING, DONE or STOPPED; rollout.why

Which gateway is in which wave follows from the bundle and its name: the same at each try, another
with each release, so that it is not always the same ones who go first. After every change the
state is written to the file `kept`; a rollout that was interrupted goes on from there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from host_tools.packing import bundle as bundle_
from host_tools.problems import INPUT, USAGE, Problem
from host_tools.remote.serve_bundle import Heard

GOING, DONE, STOPPED = "going", "done", "stopped"
WAITING, OFFERED, TRIAL = "waiting", "offered", "trial"
CONFIRMED, FAILED = "confirmed", "failed"
_FINAL = (CONFIRMED, FAILED)
_OFFERS = 3  # to one that answers "old"


@dataclass
class Member:
    """One gateway of a rollout."""

    gateway: str
    wave: int
    status: str = WAITING
    why: str = ""
    since_s: float = 0.0
    meters_before: int = 0  # that answered when it was offered
    boot: int = 0  # the start that was offered it
    states_before: int = 0  # that had been heard when its trial began
    offers: int = 0  # in this run of the program


class Rollout:
    """waves: percentages of the fleet, rising, the last is 100.

    bad_percent: of a wave's gateways that may fail before all stops. limit_s: for one of them
    """

    def __init__(
        self,
        data: bytes,
        gateways: Sequence[str],
        waves: Sequence[int],
        kept: Path | None = None,
        *,
        bad_percent: int = 0,
        limit_s: float = 14_400.0,
    ) -> None:
        """Plan it, or go on with what the file says; a Problem when that is of another bundle."""
        if not gateways:
            raise Problem("no gateway is named", "give the file of their keys", code=USAGE)
        if not waves or list(waves) != sorted(set(waves)) or waves[-1] != 100 or waves[0] < 1:
            raise Problem("waves are rising percentages up to 100", "5,25,100", code=USAGE)
        self._name = sha256(data).hexdigest()[:16]
        self.bundle = bundle_.read(data)
        self.why = ""
        self._kept = kept
        self._bad_percent = bad_percent
        self._limit_s = limit_s
        order = sorted(gateways, key=lambda g: sha256((self._name + g).encode()).digest())
        self.members = [
            Member(gateway, next(w for w, p in enumerate(waves) if 100 * i < p * len(order)))
            for i, gateway in enumerate(order)
        ]
        if kept and kept.exists():
            self._resume(kept)

    @property
    def wave(self) -> int:
        """The wave that is under way; the number of waves when all are over."""
        return min((m.wave for m in self.members if m.status not in _FINAL), default=1 << 16)

    @property
    def state(self) -> str:
        """GOING, DONE or STOPPED."""
        if self.why:
            return STOPPED
        return GOING if any(m.status not in _FINAL for m in self.members) else DONE

    def step(self, heard: Mapping[str, Heard], now_s: float) -> list[str]:
        """Look at what was heard; return the gateways to be offered the bundle now."""
        before = [asdict(member) for member in self.members]
        offers = []
        wave = self.wave
        for member in self.members:
            if self.state == STOPPED:
                break
            if member.wave != wave or member.status in _FINAL:
                continue
            if self._look(member, heard[member.gateway], now_s):
                offers.append(member.gateway)
            if member.status == FAILED:
                self._judge(wave)
        if before != [asdict(member) for member in self.members]:
            self._keep()
        return offers

    def _look(self, member: Member, heard: Heard, now_s: float) -> bool:
        """Bring one member up to date; tell whether it is to be offered the bundle."""
        version, wanted = heard.birth.get("version"), self.bundle.version
        if member.status == WAITING or (member.status == OFFERED and not member.offers):
            if version is None or not heard.states:
                return False  # it is not there, or how it is was not heard yet
            if version != wanted:
                member.boot = heard.birth.get("boot", 0)
                member.status, member.since_s, member.offers = OFFERED, now_s, 1
                member.meters_before = max(member.meters_before, _answering(heard))
                heard.answer = None
                return True
            member.status, member.since_s = TRIAL, now_s
            member.states_before = heard.states
        elif now_s - member.since_s > self._limit_s:
            self._fail(member, f"not confirmed within {self._limit_s / 3600:.0f} h")
        elif member.status == OFFERED:
            answer = heard.answer
            if version == wanted:
                member.status, member.states_before = TRIAL, heard.states
            elif answer and answer.get("why") == "old" and member.offers < _OFFERS:
                member.offers += 1  # it took an order before whose answer was lost
                heard.answer = None
                return True
            elif answer and not answer.get("ok"):
                self._fail(member, str(answer.get("why")))
            elif answer:
                self._look_at_fetch(member, heard)
        elif version != wanted:
            self._fail(member, f"it went back to {version}")
        elif heard.states > member.states_before and not heard.state.get("update"):
            answering = _answering(heard)
            if answering < member.meters_before:
                self._fail(member, f"{answering} of {member.meters_before} meters answer")
            else:
                member.status, member.why = CONFIRMED, ""
        return False

    def _look_at_fetch(self, member: Member, heard: Heard) -> None:
        """Find a fetch that failed, and a firmware that gave way before it could say its name."""
        update = heard.state.get("update") or {}
        has_restarted = heard.birth.get("boot", 0) != member.boot
        if update.get("phase") == "idle" and update.get("why"):
            self._fail(member, str(update["why"]))
        elif has_restarted and heard.states > heard.states_at_birth and not update:
            self._fail(member, f"it went back to {heard.birth.get('version')}")

    def _fail(self, member: Member, why: str) -> None:
        member.status, member.why = FAILED, why

    def _judge(self, wave: int) -> None:
        members = [m for m in self.members if m.wave == wave]
        bad = [m for m in members if m.status == FAILED]
        if 100 * len(bad) > self._bad_percent * len(members):
            self.why = f"{len(bad)} of {len(members)} in wave {wave + 1} failed: " + "; ".join(
                f"{m.gateway}: {m.why}" for m in bad[:5]
            )

    def _keep(self) -> None:
        if not self._kept:
            return
        rows = [{k: v for k, v in asdict(m).items() if k != "offers"} for m in self.members]
        fresh = self._kept.with_name(self._kept.name + ".new")
        fresh.write_text(json.dumps({"bundle": self._name, "members": rows}, indent=1))
        fresh.replace(self._kept)

    def _resume(self, kept: Path) -> None:
        try:
            tree = json.loads(kept.read_text())
            rows = {row["gateway"]: Member(**row) for row in tree["members"]}
            name = tree["bundle"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Problem(f"{kept} is no rollout: {error}", "remove it", code=INPUT) from None
        if name != self._name:
            raise Problem(
                f"{kept} is the rollout of another bundle", "give another --state", code=INPUT
            )
        for member in self.members:
            if member.gateway in rows:
                found = rows[member.gateway]
                found.wave, found.states_before = member.wave, 0
                if found.status == FAILED:  # whoever goes on has mended what stopped it
                    found.status, found.why = WAITING, ""
                self.members[self.members.index(member)] = found


def _answering(heard: Heard) -> int:
    return sum(meter.get("state") == "ok" for meter in heard.state.get("meters", []))
