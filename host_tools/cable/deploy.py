"""Put the firmware on boards that run MicroPython, many at once, by their cables.

    results = deploy(["/dev/ttyUSB0"], bundle_bytes, on_progress)

A gateway that works keeps working whenever the power or the cable fails: what runs is never
touched. The bundle goes into the other slot, of its files only those that differ; it is hashed
where it lies, and then /slot is replaced in one commit of littlefs. A bare board gets /main.py
last: until then it is bare, and afterwards complete. So the next run mends whatever was cut.
Not here: configuration and secrets (provision.py), MicroPython itself (flash.py).
"""

import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from host_tools.cable.prompt import PIECE_BYTES, BoardError, Prompt
from host_tools.language import say
from host_tools.packing import bundle
from host_tools.packing.bundle import OFFER_BYTES, Bundle, Row
from host_tools.packing.image import ROOT, VERSION, compile_source, repair_files
from host_tools.planning.site_rules import board as board_of
from host_tools.planning.site_rules import board_names
from host_tools.problems import DEVICE, INPUT, OK, Problem

Tell = Callable[[str, float, str], None]  # port, 0 .. 1, words
_BLOCK = 4096
_SPARE_BYTES = 16 * _BLOCK  # littlefs writes anew before it frees, and the gateway saves
_PLATFORMS = {"linux": "unix", "darwin": "unix"}
REPAIR = "repair"  # where firmware/boot.py looks for it
_OTHER = {"a": "b", "b": "a"}


@dataclass
class Result:
    """What became of one board; code: as of problems.py."""

    port: str
    code: int = OK
    version: str = ""
    slot: str = ""
    changed: list[str] = field(default_factory=list)  # files that were written
    sent_bytes: int = 0  # of the bundle, those that were not on the board already
    is_provisioned: bool = False
    what: str = ""
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the fields for --json."""
        return asdict(self)


def deploy(
    ports: Sequence[str],
    data: bytes,
    tell: Tell = lambda port, share, words: None,
    *,
    repairs: bool = False,
) -> list[Result]:
    """Put a bundle on every board; return a result each, in their order.

    tell: is called from several threads, one at a time. A Problem when the bundle is none.
    repairs: also what fetches a firmware when none can run (firmware/repair.py).
    """
    read = bundle.read(data)
    beside = starters()
    if repairs:
        files = repair_files(read.boards)
        beside = {REPAIR: bundle.pack(files, VERSION, 1, read.boards)} | beside
    lock = threading.Lock()

    def told(port: str, share: float, words: str) -> None:
        with lock:
            tell(port, share, words)

    def run(port: str) -> Result:
        try:
            with Prompt(port) as prompt:
                result = _Deployment(prompt, data, read, beside, told).run()
                if result.is_provisioned and result.changed:
                    prompt.reset()
        except Problem as problem:
            told(port, 0.0, say("failed"))
            return Result(port, problem.code, what=problem.what, remedy=problem.remedy)
        told(port, 1.0, say("done"))
        return result

    with ThreadPoolExecutor(max(len(ports), 1)) as pool:
        return list(pool.map(run, ports))


def starters() -> dict[str, bytes]:
    """Return what starts a slot: boot.py compiled, because a board has little heap for it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "boot.mpy"
        compile_source(Path("firmware/boot.py"), out)
        return {
            "boot.mpy": out.read_bytes(),
            "main.py": (ROOT / "firmware" / "chip_main.py").read_bytes(),
        }


class _Deployment:
    """One board."""

    def __init__(
        self, prompt: Prompt, data: bytes, read: Bundle, starters: dict[str, bytes], tell: Tell
    ) -> None:
        self._prompt = prompt
        self._data = data
        self._read = read
        self._starters = starters
        self._tell = tell
        self._done = 0

    def run(self) -> Result:
        prompt, digest = self._prompt, sha256(self._data).digest()
        self._say(say("preparing"))
        check_board(prompt, self._read.boards)
        prompt.enter_maintenance()
        there = prompt.files(deep=False)
        known = prompt.digests(["a", "b", *self._starters])
        result = Result(prompt.port, version=self._read.version)
        result.is_provisioned = "settings" in there
        active = active_slot(prompt) if "slot" in there else ""
        whole = {slot for slot in _OTHER if known.get(slot, (0, b""))[1] == digest}
        target = active if active in whole else _OTHER.get(active, "a")
        if target not in whole:
            result.sent_bytes = self._write_slot(target, active, there, digest)
            result.changed.append(target)
        result.slot = target
        for name, data in self._starters.items():
            if name == "main.py" and (target != active or not is_calm(prompt)):
                # What starts is there before anything starts it.
                prompt.put("slot", bundle.slot_state(target))
                result.changed.append("slot")
            if known.get(name, (0, b""))[1] != sha256(data).digest():
                if name == "main.py":
                    clear_boot(prompt)
                prompt.put(name, data)
                result.changed.append(name)
        return result

    def _say(self, words: str) -> None:
        self._tell(self._prompt.port, self._done / len(self._data), words)

    def _count(self, size: int) -> None:
        self._done += size
        self._say(say("writing"))

    def _write_slot(self, target: str, active: str, there: dict[str, int], digest: bytes) -> int:
        """Make the slot; return how many bytes came over the cable."""
        free = int(self._prompt.info()["free"])
        needed = len(self._data) + _SPARE_BYTES
        if free < needed:
            self._prompt.remove(target)  # its room; what runs is in the other one
            free += -(-there.get(target, 0) // _BLOCK) * _BLOCK
        if free < needed:
            raise Problem(
                f"{self._prompt.port}: {needed // 1024} KB are needed, {free // 1024} KB are free",
                "remove what others have put there, or flash the board anew: eclor flash",
                code=DEVICE,
            )
        old = self._old(active) if active else None
        pieces = list(delta(self._data, self._read, old, active))
        sent = sum(len(piece) for piece in pieces if isinstance(piece, bytes))
        try:
            self._prompt.make(target, pieces, digest, self._count)
        except Problem as problem:
            if isinstance(problem, BoardError) or sent == len(self._data):
                raise
            # The old slot was not what its listing says: nothing of it is used.
            self._done, sent = 0, len(self._data)
            self._prompt.make(target, [self._data], digest, self._count)
        return sent

    def _old(self, slot: str) -> tuple[Row, ...] | None:
        """Return the listing of a slot; None when it has none."""
        prompt = self._prompt
        prompt.run(f"_g=open({slot!r},'rb')")
        head = prompt.bytes_of(f"_g.read({bundle.HEAD_BYTES})")
        try:
            left = bundle.listing_bytes(head)
        except Problem:
            return None
        prompt.run(f"_g.seek({OFFER_BYTES})")
        listing = b""
        while left > 0:
            listing += prompt.bytes_of(f"_g.read({min(left, PIECE_BYTES)})")
            left -= PIECE_BYTES
        prompt.run("_g.close()")
        return bundle.rows_of(head, listing)


def clear_boot(prompt: Prompt) -> None:
    """Take /boot.py away: Python would import it in the place of /boot.mpy.

    The one of an image holds comments only; anybody else's is kept under another name.
    """
    if "boot.py" not in prompt.files(deep=False):
        return
    lines = prompt.read("boot.py").decode(errors="replace").splitlines()
    if all(not line.strip() or line.lstrip().startswith("#") for line in lines):
        prompt.remove("boot.py")
    else:
        prompt.run("os.rename('boot.py','boot_before.py')")


def check_board(prompt: Prompt, boards: Sequence[str]) -> None:
    """Raise a Problem unless one of the boards can be what is behind the prompt."""
    platform = str(prompt.value("__import__('sys').platform"))
    machine = str(prompt.info()["machine"])
    for name in boards:
        if name not in board_names():
            continue
        wired = board_of(name)
        if wired["port"] != _PLATFORMS.get(platform, platform):
            continue
        chip = str(wired["chip"])
        if chip == "host" or re.search(rf"\b{chip}\b", machine, re.IGNORECASE):
            return
    raise Problem(
        f"{prompt.port} is {machine} ({platform}), and this is for {', '.join(boards)}",
        "choose the bundle of this board: eclor boards lists what there is",
        code=INPUT,
    )


def active_slot(prompt: Prompt) -> str:
    """Return the slot that /slot calls active, "" when it is unreadable or what runs is frozen."""
    state = bundle.read_slot_state(prompt.read("slot"))
    return state[0].replace(bundle.FROZEN, "") if state else ""


def is_calm(prompt: Prompt) -> bool:
    """Whether /slot is there, on no trial, with no failed starts and no note."""
    try:
        data = prompt.read("slot")
    except BoardError:
        return False
    state = bundle.read_slot_state(data)
    return state is not None and data == bundle.slot_state(state[0])


def delta(
    data: bytes, read: Bundle, old: tuple[Row, ...] | None, slot: str
) -> Iterator[bytes | tuple[str, int, int]]:
    """Yield the bundle in order: bytes to send, and (slot, at, size) of what lies in a slot.

    old: the listing of that slot with places in its file; None: everything is sent.
    """
    known = {row.digest: row for row in old or ()}
    start = len(data) - len(read.content)
    sent_to = 0  # what is before has been yielded
    for row in sorted(read.rows, key=lambda row: row.at):
        same = known.get(row.digest)
        if same is None or same.size != row.size:
            continue
        at = start + row.at
        if at > sent_to:
            yield data[sent_to:at]
        yield slot, same.at, row.size
        sent_to = at + row.size
    if sent_to < len(data):
        yield data[sent_to:]
