"""`make forge N=1000000`: forged, mutated, truncated, replayed and older offers, pieces, commands.

    python -m tests.forge [N] [--seed N]

None may be accepted: an offer ends in CannotDo, a piece leaves the slot as it was, a command
does not run. Offers are signed by a key made for the run, so that mutations begin from what the
gateway would believe. The exit code is 1 when one was accepted, or anything but a refusal came.
"""

import argparse
import random
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

import host_tools  # noqa: F401 - gives `micropython` to CPython
from agent.clock import Clock
from agent.commands import CannotDo, Commands, seal
from agent.mac import Mac
from agent.update import OFFER_BYTES, Updater
from host_tools.packing import bundle, release
from host_tools.remote.serve_bundle import chunk
from tests.closing import close

KEY = bytes(range(32))
GATEWAY = "gw"
WALL_MS = 1_800_000_000_000


class Slots:
    """Slots in memory: a running firmware of counter 5, and what the updater writes."""

    running, target, is_on_trial = "a", "b", False

    def __init__(self, running: bytes) -> None:
        self.held = {"a": running, "b": b""}
        self.writes = 0

    def counter(self, slot: str) -> int:
        return int.from_bytes(self.held[slot][8:12], "big")

    def size(self, slot: str) -> int:
        return len(self.held[slot])

    def read(self, slot: str, at: int, count: int) -> bytes:
        return self.held[slot][at : at + count]

    def append(self, slot: str, data: bytes) -> None:
        self.held[slot] += bytes(data)
        self.writes += 1

    def remove(self, slot: str) -> None:
        self.held[slot] = b""

    def free(self) -> int:
        return 1 << 30


@dataclass
class Forger:
    """Makes what must be refused, and counts what was not."""

    seed: int
    tried: dict[str, int] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        ours, foreign = (rsa.generate_private_key(65537, 3072) for _ in range(2))
        files = {"agent/a.mpy": self.chance.randbytes(5000)}

        def make(counter: int, board: str, key: rsa.RSAPrivateKey) -> bytes:
            return release.sign(bundle.pack(files, "2", counter, [board]), key)

        self.good = make(6, "host", ours)
        self.refused = [
            make(5, "host", ours),  # replayed
            make(4, "host", ours),  # older
            make(7, "esp32_poe", ours),  # another board's
            make(7, "host", foreign),
            bundle.pack(files, "2", 7, ["host"]),  # unsigned
        ]
        self.slots = Slots(make(5, "host", ours))
        self.modulus = release.modulus(ours)
        self.ran = 0
        self.commands = self._make_commands()
        tree = self._tree(1)
        self.command = seal(KEY, tree)
        self.taken = self.commands.take(self.command, 0)
        assert self.ran == 1 and self.taken
        self.updater = self._make_updater()
        self.updater.offer(self.good[:OFFER_BYTES])  # the good one is believed
        self.updater.step(0)
        self.piece = chunk(KEY, GATEWAY, self.good, OFFER_BYTES, 44)

    def _make_updater(self) -> Updater:
        return Updater(
            self.slots,
            self.modulus,
            "host",
            Mac(KEY),
            b"chunk" + GATEWAY.encode(),
            lambda said: None,
            lambda: 0,
        )

    def _make_commands(self) -> Commands:
        clock = Clock(1)
        clock.set_wall(WALL_MS, 0, "forge")

        def run(args: dict[str, Any]) -> str:
            self.ran += 1
            return "done"

        return Commands(GATEWAY, Mac(KEY), clock, 0, lambda counter: None, {"do": run})

    @staticmethod
    def _tree(counter: int, gateway: str = GATEWAY, until_ms: int = WALL_MS) -> dict[str, Any]:
        return {
            "gateway": gateway,
            "id": "x",
            "counter": counter,
            "until_ms": until_ms,
            "do": "do",
            "args": {},
        }

    def damage(self, data: bytes) -> bytes:
        """Return data changed in one to four places, cut, grown, or all noise; never as it was."""
        chance = self.chance
        while True:
            bad = bytearray(data)
            for _ in range(chance.randrange(1, 5)):
                at = chance.randrange(len(bad)) if bad else 0
                kind = chance.randrange(5)
                if kind <= 1 and bad:
                    bad[at] ^= 1 << chance.randrange(8)
                elif kind == 2:
                    bad = bad[:at]
                elif kind == 3:
                    bad[at:at] = chance.randbytes(chance.randrange(1, 9))
                else:
                    size = chance.randrange(1, 33)
                    bad[at : at + size] = chance.randbytes(len(bad[at : at + size]))
            if bytes(bad) != data:
                return bytes(bad)

    def one(self) -> None:
        """Try one forgery of a kind by chance."""
        kind = self.chance.choice(("offer", "older", "piece", "command", "old"))
        self.tried[kind] = self.tried.get(kind, 0) + 1
        if kind == "offer":
            self._offer(self.damage(self.good[:OFFER_BYTES]))
        elif kind == "older":
            self._offer(self.chance.choice(self.refused)[:OFFER_BYTES])
        elif kind == "piece":
            before = self.slots.writes
            self.updater.take(self.damage(self.piece), 0)
            if self.slots.writes != before:
                self.accepted.append("piece")
        else:
            data = self.damage(self.command) if kind == "command" else self._old()
            before = self.ran
            self.commands.take(data, 0)
            if self.ran != before:
                self.accepted.append(f"{kind}: {data.hex()}")

    def _old(self) -> bytes:
        """Return an authentic command that must not run: replayed, expired, or another's."""
        tree = self.chance.choice(
            (
                self._tree(self.chance.randrange(2)),
                self._tree(9, until_ms=WALL_MS - 1),
                self._tree(9, gateway="other"),
            )
        )
        return seal(KEY, tree)

    def _offer(self, offer: bytes) -> None:
        try:
            self._make_updater().check(offer)
        except CannotDo:
            return
        self.accepted.append(f"offer: {offer.hex()}")


def main() -> int:
    """Try N forgeries; 1 when one was accepted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFFFF)
    options = parser.parse_args()
    forger = Forger(options.seed)
    for _ in range(options.count):
        forger.one()
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(forger.tried.items()))
    print(f"seed {options.seed}")
    for text in forger.accepted[:5]:
        print(text)
    line = f"forge: {options.count:,} tried ({kinds}), {len(forger.accepted)} accepted"
    close("forge", line, held=not forger.accepted)
    return 1 if forger.accepted else 0


if __name__ == "__main__":
    raise SystemExit(main())
