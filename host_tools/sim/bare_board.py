"""A bare board on a pseudo-terminal: MicroPython and an empty flash, as it comes out of `flash`.

Not a model of a chip: the interpreter is MicroPython's unix port, whose prompt, raw prompt and
raw paste are those of a board. What a chip adds is done here: a soft reset (Ctrl-D) starts the
interpreter again and leaves main.py alone at the raw prompt, machine.reset() and the watchdog end
the process, and the power and the cable can be taken away at any byte. It is a process of its
own when `eclor mock --board` starts it, and runs on.

    with BareBoard(folder) as board:
        deploy(board.port)               # folder/port, a link to the pseudo-terminal
        board.power_cut(); board.power_on()
        board.cut_after_bytes = 4711     # of those that the host sends from now on
"""

import asyncio
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from host_tools.packing.image import BLOCK_BYTES, BLOCKS, ROOT, blank
from host_tools.problems import INPUT, MISSING, Problem
from host_tools.processes.broker import program

HEAP = "384k"
WATCHDOG_S = 8.0
_MARK = "\x00\x01started\x00"
_LOOK_S = 0.2
_PATIENCE_S = 0.5  # for a host that reads slowly; then nobody listens
_SAFE_S = 0.5  # to find it where a Ctrl-C does no harm
_RAW, _FRIENDLY, _INTERRUPT = b"\x01", b"\x02", b"\x03"
_BOOT_PY = b"# This file is executed on every boot (including wake-boot from deepsleep)\n"


class BareBoard:
    """One board. Usable from any thread; its own thread moves the bytes."""

    def __init__(
        self,
        folder: Path,
        *,
        uarts: Mapping[str, str] | None = None,
        mac: str = "02ec10000001",
        heap: str = HEAP,
        blocks: int = BLOCKS,
        watchdog_s: float = WATCHDOG_S,
    ) -> None:
        """folder: what the board is made of: flash.img and port, made when absent.

        uarts: the board's UART names and the terminals they are wired to.
        """
        self.folder = folder
        self.image = folder / "flash.img"
        self.starts = 0
        self.bites = 0
        self.cut_after_bytes = 0  # sent by the host from now on; 0: never
        self.cut_after_writes = 0  # to the flash, counted from the next start; 0: never
        self.writes = 0  # to the flash so far; counted while a cut is awaited
        self.keeps_port = False  # a cut leaves the port there, silent: an adapter of its own
        self.said = bytearray()  # the last of what it said
        self._uarts = dict(uarts or {})
        self._mac = mac
        self._heap = heap
        self._blocks = blocks
        self._watchdog_s = watchdog_s
        self._lock = threading.RLock()
        self._child: subprocess.Popen[bytes] | None = None
        self._kennel: socket.socket | None = None
        self._fed_s: float | None = None
        self._starts_s = 0.0  # when it starts by itself; 0: never
        self._starts_by = "soft"
        self._is_started = False
        self._is_raw = False
        self._is_heard = True
        self._interrupted_s = 0.0  # when a Ctrl-C went in that it has not answered yet
        self._held = b""  # by the host, before it listens
        self._early = b""  # by the board, before its mark
        self._last = 0
        self._cause = "power"
        self._ends = threading.Event()
        self._master = self._slave = -1
        folder.mkdir(parents=True, exist_ok=True)
        if not self.image.exists():
            blank(self.image, blocks, {"/boot.py": _BOOT_PY})

    @property
    def port(self) -> str:
        """What a host opens: a link, because pseudo-terminals get a new number each time."""
        return str(self.folder / "port")

    # --- the switches

    def __enter__(self) -> Self:
        """Plug it in."""
        self.plug_in()
        self._thread = threading.Thread(target=self._run, name="bare board", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Unplug it for good."""
        self._ends.set()
        self._thread.join()
        self.unplug()

    def plug_in(self) -> None:
        """Give it a cable, which is its power too."""
        with self._lock:
            self._master, self._slave = os.openpty()
            tty.setraw(self._slave)  # held open: a master without any slave only gives errors
            os.set_blocking(self._master, False)
            link = Path(self.port)
            link.unlink(missing_ok=True)
            link.symlink_to(os.ttyname(self._slave))
            self.power_on()

    def unplug(self) -> None:
        """Take the cable away: no port, no power."""
        with self._lock:
            self.power_cut()
            if self._master >= 0:
                os.close(self._slave)
                os.close(self._master)
                self._master = self._slave = -1
            Path(self.port).unlink(missing_ok=True)

    def power_on(self) -> None:
        """Let it start, by main.py if it has one."""
        with self._lock:
            self._is_raw = False
            self._cause = "power"
            self._spawn()

    def power_cut(self) -> None:
        """Take the power away, whatever it is doing; it stays off."""
        with self._lock:
            child, self._child = self._child, None
            if child:
                child.kill()
                child.wait()
                for pipe in (child.stdin, child.stdout):
                    with contextlib.suppress(OSError):
                        pipe.close()  # type: ignore[union-attr]

    @property
    def running(self) -> bool:
        """Whether it has power."""
        return self._child is not None

    # --- its life

    def _spawn(self, *, main: bool = True) -> None:
        self.power_cut()
        if self._kennel:
            self._kennel.close()
        self._kennel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._kennel.bind(("127.0.0.1", 0))
        link = {
            "firmware": str(ROOT / "firmware"),
            "flash": str(self.image.resolve()),
            "blocks": self.image.stat().st_size // BLOCK_BYTES,
            "uarts": self._uarts,
            "reset_cause": self._cause,
            "mac": self._mac,
            "watchdog": self._kennel.getsockname()[1],
            "main": main,
            "mark": _MARK,
            "cut_after_writes": self.cut_after_writes,
        }
        file = self.folder / "link.json"
        file.write_text(json.dumps(link))
        self._fed_s = None
        self._starts_s = 0.0
        self._is_started = False
        self._held = b""
        self._early = b""
        self._last = 0
        self.starts += 1
        self._child = subprocess.Popen(
            [
                *(program("micropython"), "-X", f"heapsize={self._heap}", "-i"),
                *(str(Path(__file__).with_name("bare_start.py")), str(file.resolve())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            bufsize=0,
            start_new_session=True,  # a Ctrl-C at somebody's terminal is none of the board's
        )

    def _run(self) -> None:
        while not self._ends.is_set():
            with self._lock:
                child, master, kennel = self._child, self._master, self._kennel
            sources: list[Any] = [master] if master >= 0 else []
            if child and child.stdout and kennel:
                sources += [child.stdout, kennel]
            try:
                ready = select.select(sources, [], [], _LOOK_S if sources else 0)[0]
            except (OSError, ValueError):
                continue  # a switch was thrown meanwhile
            with self._lock:
                if (child, master) == (self._child, self._master):
                    self._move(ready)
            if not sources:
                self._ends.wait(_LOOK_S)

    def _move(self, ready: list[Any]) -> None:
        if self._master in ready:
            with contextlib.suppress(BlockingIOError):
                self._from_host(os.read(self._master, 4096))
        child = self._child
        if not child or not child.stdout or not self._kennel:
            return
        if child.stdout in ready:
            data = os.read(child.stdout.fileno(), 4096)
            if data:
                self._from_board(data)
            else:
                self._ended(child.wait())
                return
        if self._kennel in ready:
            word = self._kennel.recv(16)
            if word == b"1":
                self._fed_s = time.monotonic()
            elif word == b"W":
                self.writes += 1
            elif word == b"R":
                self._reset("soft")
            elif word[:1] == b"T":
                self._starts_s = time.monotonic() + int(word[1:]) * 60
                self._starts_by = "soft"
            elif word[:1] == b"S":
                self._fed_s = None
                self._starts_s = time.monotonic() + int(word[1:]) / 1000
                self._starts_by = "sleep"
            elif word == b"C":
                self.cut_after_writes = 0
                self._fail()
        elif self._starts_s and time.monotonic() > self._starts_s:
            self._reset(self._starts_by)
        elif self._fed_s and time.monotonic() - self._fed_s > self._watchdog_s:
            self.bites += 1
            self._reset("watchdog")

    def _fail(self) -> None:
        """Lose the power at the chosen byte."""
        if self.keeps_port:
            self.power_cut()
        else:
            self.unplug()

    def _reset(self, cause: str) -> None:
        self._is_raw = False
        self._cause = cause
        self._spawn()

    def _ended(self, code: int) -> None:
        if code:
            self._reset("watchdog")  # a chip would hang until its watchdog bites
            return
        self._to_host(b"MPY: soft reboot\r\n")
        self._cause = "soft"
        self._spawn(main=not self._is_raw)
        if self._is_raw:
            self._held = _RAW

    def _from_host(self, data: bytes) -> None:
        if self.cut_after_bytes:
            count, self.cut_after_bytes = self.cut_after_bytes, self.cut_after_bytes - len(data)
            if self.cut_after_bytes <= 0:
                self.cut_after_bytes = 0
                self._type(data[:count])
                self._fail()
                return
        self._type(data)

    def _type(self, data: bytes) -> None:
        """Hand bytes to the board, once it listens."""
        if not self._is_started:
            self._held += data
            return
        self._is_raw = max(data.rfind(_RAW), 0 if self._is_raw else -1) > data.rfind(_FRIENDLY)
        pieces = data.split(_INTERRUPT)
        for i, piece in enumerate(pieces):
            if i:
                self._interrupt()
            if piece:
                self._write(piece)

    def _interrupt(self) -> None:
        """Ctrl-C: a signal while MicroPython catches it, else a byte like any other."""
        child = self._child
        if child is None:
            return
        # The unix port ends at a second one before it has taken the first; chips do not.
        if time.monotonic() - self._interrupted_s < 10.0:
            return
        # It stands still meanwhile: a signal that it no longer catches would end it. And the unix
        # port leaves what it does in the very handler: a lock that it holds there stays locked,
        # and it waits for that lock for ever (futex_do_wait, after the OK of the raw prompt).
        # So it is interrupted in a system call; chips interrupt between two bytecodes.
        until_s = time.monotonic() + _SAFE_S
        while True:
            child.send_signal(signal.SIGSTOP)
            catches = _catches(child.pid)
            if not catches or _is_in_call(child.pid) or time.monotonic() > until_s:
                break
            child.send_signal(signal.SIGCONT)
            time.sleep(0.0005)
        if catches:
            self._interrupted_s = time.monotonic()
            child.send_signal(signal.SIGINT)
        child.send_signal(signal.SIGCONT)
        if not catches:
            self._write(_INTERRUPT)

    def _write(self, data: bytes) -> None:
        if self._child and self._child.stdin:
            with contextlib.suppress(OSError):
                self._child.stdin.write(data)

    def _from_board(self, data: bytes) -> None:
        self._interrupted_s = 0.0
        if not self._is_started:
            self._early += data
            before, mark, data = self._early.partition(_MARK.encode())
            if not mark:
                return
            self._early = b""
            self._to_host(before)
            self._is_started = True
            held, self._held = self._held, b""
            self._type(held)
        out = bytearray()
        for byte in data:
            if byte == 10 and self._last != 13:
                out.append(13)
            out.append(byte)
            self._last = byte
        self._to_host(bytes(out))

    def _to_host(self, data: bytes) -> None:
        self.said += data
        del self.said[:-4000]
        while data and self._master >= 0:
            try:
                data = data[os.write(self._master, data) :]
                self._is_heard = True
            except BlockingIOError:
                wait_s = _PATIENCE_S if self._is_heard else 0
                if not select.select([], [self._master], [], wait_s)[1]:
                    self._is_heard = False
                    return  # as a UART does when nobody reads


def _catches(pid: int) -> bool:
    """Whether a process that is being stopped catches SIGINT: it runs a script."""
    for _ in range(1000):
        try:
            fields = dict(
                line.split(":\t", 1)
                for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if ":\t" in line
            )
        except OSError:
            return False
        if fields["State"][0] in "TZX":
            return bool(int(fields["SigCgt"], 16) >> signal.SIGINT - 1 & 1)
        time.sleep(0.001)
    return False


def _is_in_call(pid: int) -> bool:
    """Whether a stopped process stands in a system call; also where that is not told."""
    try:
        return not Path(f"/proc/{pid}/syscall").read_text().startswith("-1")
    except OSError:
        return True


def start_alone(folder: Path, site: Path | None = None, gateway: str = "") -> str:
    """Start a board as a process of its own, which runs on; return its port.

    site: simulated meters of this file's gateway are on its UARTs. A Problem when a board runs
    in that folder, or it does not start.
    """
    if is_alone(folder):
        raise Problem(f"a board runs in {folder} already", "stop it: --stop", code=INPUT)
    folder.mkdir(parents=True, exist_ok=True)
    port = folder / "port"
    port.unlink(missing_ok=True)
    words = [str(site.resolve()), gateway] if site else []
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "host_tools.sim.bare_board", str(folder.resolve()), *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    until_s = time.monotonic() + 20
    while not port.is_symlink():
        if process.poll() is not None or time.monotonic() > until_s:
            said = (folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
            raise Problem(
                f"the board does not start: {''.join(said)}",
                f"{folder / 'log'} says more",
                code=MISSING,
            )
        time.sleep(0.02)
    return str(port)


def stop_alone(folder: Path) -> None:
    """Stop the board of a folder. A Problem when none runs there."""
    if not is_alone(folder):
        raise Problem(f"no board runs in {folder}", "start one: eclor mock --board", code=INPUT)
    os.kill(int((folder / "pid").read_text()), signal.SIGTERM)
    while is_alone(folder):
        time.sleep(0.02)


def is_alone(folder: Path) -> bool:
    """Whether a board runs in a folder as a process of its own: it holds the lock of its pid."""
    try:
        with (folder / "pid").open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def main() -> None:
    """Be the board of a folder until SIGTERM: FOLDER [SITE GATEWAY]."""
    folder = Path(sys.argv[1])
    ends = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ends.set())
    with (folder / "pid").open("a+") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        with meters(*sys.argv[2:]) as uarts, BareBoard(folder, uarts=uarts):
            ends.wait()


@contextlib.contextmanager
def meters(site: str = "", gateway: str = "") -> Iterator[dict[str, str]]:
    """Run the simulated meters of a site file; yield the UARTs that they are wired to."""
    if not site:
        yield {}
        return
    from host_tools.sim.ledger import Ledger
    from host_tools.sim.plan import load_site
    from host_tools.sim.site import SimulatedSite

    read = load_site(Path(site), gateway)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="meters", daemon=True)
    thread.start()

    async def start() -> SimulatedSite:
        simulated = SimulatedSite(read.gateway, read.simulation, Ledger())
        simulated.start(loop)
        return simulated

    async def stop(simulated: SimulatedSite) -> None:
        simulated.close()

    simulated = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        yield simulated.uarts
    finally:
        asyncio.run_coroutine_threadsafe(stop(simulated), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


if __name__ == "__main__":
    main()
