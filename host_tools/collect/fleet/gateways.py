"""Many gateways at once: the gateway's own uplink (agent/uplink.py) over real MQTT connections.

Not a simulation of meters: each gateway has the same prepared blocks, encoded by agent/codec.py,
in records of a journal of its own. As many are connected together as the limits of this computer
allow; the others follow as those end (Fleet.together says how many).

    fleet = Fleet([("127.0.0.1", 1883)], gateways=1000, records=4)
    asyncio.run(fleet.run(patience_s=60))
    fleet.acknowledged, fleet.readings
"""

import asyncio
import json
import math
import random
import resource
import time

from agent.codec import Block
from agent.record import BLOCK, pack_record
from agent.session import CLOSE, OPEN
from agent.uplink import Uplink

READINGS = 60  # in a block
START_MS = 1_700_000_000_000  # of the first reading
POINTS = [
    ["energy_import", "Wh", 0, 1, "0x48"],
    ["power", "W", -1, 0, "0x34"],
    ["voltage_l1", "V", -1, 0, "0x00"],
    ["current_l1", "A", -3, 0, "0x06"],
    ["frequency", "Hz", -2, 0, "0x46"],
]
_CONFIG = "00f1ee70"
_TICKS = (1 << 30) - 1
_RESERVE = 256  # files that this process needs for other things
_STEP_MS = 10_000
# Nothing an uplink does by its own clock is nearer than its ping: what comes wakes it at once.
_NAP_MS = 5000


Row = tuple[int, list[int]]  # when, in ms since 1970, and a value for each point


def prepare_rows(count: int, start_ms: int) -> list[list[Row]]:
    """Return the readings of a believable day, ten seconds apart, by the block they come in."""
    made = []
    energy = 1_234_567
    for number in range(count):
        rows: list[Row] = []
        for at in range(number * READINGS, (number + 1) * READINGS):
            power = 12_000 + round(9000 * math.sin(at / 41)) + at * 7919 % 97
            energy += power // 3600
            values = [energy, power, 2300 + at * 31 % 23, power // 2, 5000 + at % 3]
            rows.append((start_ms + at * _STEP_MS, values))
        made.append(rows)
    return made


def prepare_blocks(count: int, start_ms: int) -> list[bytes]:
    """Return prepare_rows() as blocks of READINGS x POINTS."""
    made = []
    for rows in prepare_rows(count, start_ms):
        block = Block(len(POINTS), 4000)
        block.open(bytes.fromhex(_CONFIG), 0, 1, 1)
        for at_ms, values in rows:
            full = block.add(at_ms, values, bytes(len(POINTS)))
            assert full, "a block of 4,000 bytes holds these"
        length = block.seal()
        made.append(bytes(block.data[:length]))
    return made


class PreparedJournal:
    """What an Uplink needs of a journal: prepared records, read and trimmed (agent/journal.py)."""

    def __init__(self, journal_id: int, blocks: list[bytes]) -> None:
        self.journal_id = journal_id
        self._blocks = blocks
        self.acked = 0

    @property
    def first(self) -> int:
        """The lowest number not acknowledged."""
        return self.acked + 1

    @property
    def next(self) -> int:
        """The number after the last."""
        return len(self._blocks) + 1

    @property
    def durable(self) -> int:
        """The last number."""
        return len(self._blocks)

    def read_from(self, seq: int, out: memoryview) -> tuple[int, int]:
        """Copy record seq into out; return (seq, length), (0, 0) past the last."""
        if seq > len(self._blocks):
            return 0, 0
        data = self._blocks[seq - 1]
        return seq, pack_record(out, BLOCK, seq, self.journal_id, data, 0, len(data))

    def trim_through(self, journal_id: int, seq: int) -> None:
        """Take the collector's word."""
        if journal_id == self.journal_id and self.acked < seq <= self.durable:
            self.acked = seq


class Fleet:
    """All gateways of one trial.

    addresses  of the brokers; a gateway that loses one goes on to the next
    records    blocks of each gateway
    seed       draws journals, waits and nodes
    """

    def __init__(
        self, addresses: list[tuple[str, int]], gateways: int, records: int, seed: int = 0
    ) -> None:
        self._addresses = addresses
        self._rng = random.Random(seed)
        self.records = records
        self._blocks = prepare_blocks(records, START_MS)
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.together = min(gateways, hard - _RESERVE)
        self.journals = [
            PreparedJournal(self._rng.randrange(1, 1 << 32), self._blocks) for _ in range(gateways)
        ]
        self.names = [f"fleet-{index:05d}" for index in range(gateways)]
        self.sessions = 0
        self.repeated = 0

    @property
    def readings(self) -> int:
        """How many readings the whole fleet has."""
        return len(self.journals) * len(self._blocks) * READINGS

    @property
    def acknowledged(self) -> int:
        """How many readings the collectors have acknowledged."""
        return sum(journal.acked for journal in self.journals) * READINGS

    async def run(self, patience_s: float) -> bool:
        """Drive every gateway until all is acknowledged.

        False when nothing was acknowledged for patience_s: a slow computer is no failure.
        """
        places = asyncio.Semaphore(self.together)

        async def one(index: int) -> None:
            async with places:
                await self._gateway(index)

        pending = {asyncio.create_task(one(index)) for index in range(len(self.journals))}
        done: set[asyncio.Task[None]] = set()
        before, since = -1, time.monotonic()
        while pending:
            ended, pending = await asyncio.wait(pending, timeout=1)
            done |= ended
            if self.acknowledged != before:
                before, since = self.acknowledged, time.monotonic()
            elif time.monotonic() - since > patience_s:
                break
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()
        return not pending

    def birth(self, index: int) -> bytes:
        """Return a gateway's birth."""
        journal = self.journals[index]
        meter = {"name": "main", "protocol": "modbus", "map": "sdm630", "interval_s": 10}
        schema = {"config": _CONFIG, "gateway": self.names[index], "site": f"site-{index % 50}"}
        meters = [{**meter, "personal": False, "points": POINTS}]
        tree = {
            "gateway": self.names[index],
            "journal": journal.journal_id,
            "first": journal.first,
            "next": journal.next,
            "schema": {**schema, "meters": meters},
        }
        return json.dumps(tree).encode()

    async def _gateway(self, index: int) -> None:
        journal = self.journals[index]
        name = self.names[index]
        identity = {"gateway": name, "board": "host", "version": "1", "runtime": "x", "boot": 1}
        uplink = Uplink({"keepalive_s": 60}, journal, identity, self._rng.randrange)
        uplink.birth = lambda: self.birth(index)
        reader: asyncio.StreamReader | None = None
        writer: asyncio.StreamWriter | None = None
        turn = index

        def drop(why: str) -> None:
            nonlocal reader, writer
            if writer is not None:
                writer.close()
            reader = writer = None
            uplink.closed(_now(), why)

        try:
            while journal.acked < journal.durable:
                wait_ms = uplink.step(_now())
                if uplink.action == OPEN and writer is None:
                    turn += 1
                    address = self._addresses[turn % len(self._addresses)]
                    try:
                        async with asyncio.timeout(10):
                            reader, writer = await asyncio.open_connection(*address)
                    except (OSError, TimeoutError) as error:
                        drop(str(error))
                        continue
                    uplink.opened(_now())
                elif uplink.action == CLOSE:
                    drop("closed")
                    continue
                if reader is None or writer is None:
                    await asyncio.sleep(min(max(wait_ms, 1), _NAP_MS) / 1000)
                    continue
                try:
                    while length := uplink.output():
                        writer.write(bytes(uplink.out[:length]))
                        uplink.sent(_now())
                    await writer.drain()
                    async with asyncio.timeout(_NAP_MS / 1000):
                        data = await reader.read(4096)
                except TimeoutError:
                    continue
                except OSError as error:
                    drop(str(error))
                    continue
                if not data:
                    drop("end of stream")
                    continue
                uplink.received(data, 0, len(data), _now())
        finally:
            self.sessions += uplink.counters["sessions"]
            self.repeated += uplink.counters["repeated"]
            if writer is not None:
                writer.close()


def _now() -> int:
    return int(time.monotonic() * 1000) & _TICKS
