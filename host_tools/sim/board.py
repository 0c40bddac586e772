"""The emulated board: this repository's firmware on the real MicroPython, with a power switch.

Not a model of a chip: the interpreter is MicroPython's unix port with a bounded heap, the flash
an image file (host_tools/packing/image.py), the UARTs pseudo-terminals. What a board does by
itself happens here too: it starts again after a reset, and a watchdog bites when it hangs.

    board = EmulatedBoard(supervisor, folder, uarts={"uart1": line.gateway_path})
    board.power_on()
    board.power_cut()            # SIGKILL, at any byte
"""

import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path

from host_tools.packing.image import BLOCKS, ROOT
from host_tools.processes.broker import program
from host_tools.processes.supervisor import Child, Supervisor

HEAP = "384k"  # of 64-bit objects: some 270 KB of 32-bit ones (tests/heap.py)
_LINES_KEPT = 2000
_LOOK_S = 0.2
_RAPID_S = 2.0  # a start that ends sooner counts as a crash at start
_RAPID_ENDS = 12  # boot.py counts a trial's three starts and three failures of each slot
WATCHDOG_S = 8.0  # what the RP2040 can do at most
# How the interpreter's exit code reads as a reset cause; any other code: it crashed, and a
# board would hang until its watchdog bites.
_CAUSES = {0: "soft"}
_SLEEPS = 75  # firmware/host_start.py: it sleeps for the ms that the link's file `wake` says


class EmulatedBoard:
    """One gateway; its log lines, its starts, its power switch. Usable from any thread."""

    def __init__(
        self,
        supervisor: Supervisor,
        image: Path,
        uarts: Mapping[str, str],
        *,
        mac: str = "02ec10000001",
        heap: str = HEAP,
        blocks: int = BLOCKS,
        start: Path = ROOT / "firmware" / "host_start.py",
        watchdog_s: float = WATCHDOG_S,
        interpreter: str = "",
        skips_sleep: bool = False,
        on_line: Callable[[str], None] | None = None,
    ) -> None:
        """uarts: the board's UART names and the terminals they are wired to.

        start: the script that MicroPython runs: it gets the path of a JSON file with flash,
        blocks, uarts, reset_cause, mac, watchdog, the port that its feeds go to, and wake, the
        file that says how long it sleeps. interpreter: another MicroPython than this
        environment's, such as one with the firmware frozen in. skips_sleep: a sleep takes no
        time, but the board's clock has gone on. on_line: gets each line of the firmware's log.
        """
        self.image = image
        self.lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self.starts = 0
        self.failed = ""  # why it is not started any more; "" while all is well
        self._supervisor = supervisor
        self._uarts = dict(uarts)
        self._mac = mac
        self._heap = heap
        self._blocks = blocks
        self._start = start
        self._interpreter = interpreter or program("micropython")
        self._on_line = on_line
        self._child: Child | None = None
        self._on = False
        self._started_s = 0.0
        self._rapid = 0
        self._lock = threading.RLock()
        self.bites = 0
        self.slept_ms: list[int] = []  # each sleep
        self._skips_sleep = skips_sleep
        self._ahead_ms = 0
        self._alarm: threading.Timer | None = None
        self._watchdog_s = watchdog_s

    @property
    def running(self) -> bool:
        """Whether the interpreter runs."""
        child = self._child
        return child is not None and child.running

    @property
    def process_id(self) -> int | None:
        """The interpreter's process; None while there is none."""
        child = self._child
        return child.process.pid if child is not None and child.running else None

    def power_on(self, cause: str = "power") -> None:
        """Start the firmware; cause is what it will read as its reset cause."""
        with self._lock:
            self._on = True
            # One for each life: a feed is never taken for another's.
            kennel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            kennel.bind(("127.0.0.1", 0))
            kennel.settimeout(_LOOK_S)
            link = self.image.with_suffix(".link.json")
            link.write_text(
                json.dumps(
                    {
                        "flash": str(self.image.resolve()),
                        "blocks": self._blocks,
                        "uarts": self._uarts,
                        "reset_cause": cause,
                        "mac": self._mac,
                        "watchdog": kennel.getsockname()[1],
                        "wake": str(self._wake.resolve()),
                        "ahead_ms": self._ahead_ms,
                    }
                )
            )
            self.starts += 1
            self._started_s = time.monotonic()
            self._child = self._supervisor.spawn(
                "gateway",
                [
                    self._interpreter,
                    *("-X", f"heapsize={self._heap}"),
                    str(self._start),
                    str(link.resolve()),
                ],
                cwd=self.image.parent,
                on_line=self._line,
                on_end=self._ended,
            )
            threading.Thread(
                target=self._watch, args=(self._child, kennel), name="watchdog", daemon=True
            ).start()

    def _watch(self, child: Child, kennel: socket.socket) -> None:
        """Kill a child that has fed its watchdog once and then no more."""
        fed_s = None
        with kennel:
            while child.running:
                try:
                    kennel.recv(16)
                    fed_s = time.monotonic()
                except TimeoutError:
                    pass
                if fed_s is not None and time.monotonic() - fed_s > self._watchdog_s:
                    self.bites += 1
                    self._line("board: the watchdog bites")
                    child.kill()
                    return

    def power_cut(self) -> None:
        """Take the power away: SIGKILL, whatever it is doing. It stays off."""
        with self._lock:
            self._on = False
            if self._alarm:
                self._alarm.cancel()
            child = self._child
        if child:
            child.kill()

    def _sleep(self, ms: int) -> None:
        """Start it again when it wanted to wake."""
        self.slept_ms.append(ms)
        self._rapid = 0
        self._line(f"board: sleeps for {ms} ms")
        if self._skips_sleep:
            self._ahead_ms += ms
            self.power_on("sleep")
            return
        self._alarm = threading.Timer(ms / 1000, self._awake)
        self._alarm.daemon = True
        self._alarm.start()

    def _awake(self) -> None:
        with self._lock:
            if self._on and not self.running:
                self.power_on("sleep")

    @property
    def _wake(self) -> Path:
        return self.image.with_suffix(".wake")

    def _line(self, line: str) -> None:
        self.lines.append(line)
        if self._on_line:
            self._on_line(line)

    def _ended(self, code: int) -> None:
        with self._lock:
            if not self._on:
                return
            if code == _SLEEPS:
                self._sleep(int(self._wake.read_text()))
                return
            rapid = time.monotonic() - self._started_s < _RAPID_S
            self._rapid = self._rapid + 1 if rapid else 0
            if self._rapid >= _RAPID_ENDS:
                self._on = False
                self.failed = f"the firmware ended {_RAPID_ENDS} times within {_RAPID_S:.0f} s"
                self._line(f"board: {self.failed}, exit code {code}: it stays off")
                return
            cause = _CAUSES.get(code, "watchdog")
            self._line(f"board: the firmware ended with {code}: {cause} reset")
            self.power_on(cause)
