"""Child processes that never outlive this one: started, watched, their lines read, stopped.

Not a service manager: nothing is restarted here; who owns a child decides that
(host_tools/sim/board.py powers its board on again).

    with Supervisor() as supervisor:
        child = supervisor.spawn("broker", ["nats-server", "-c", path], on_line=print)
        ...
    # here every child is gone; after a crash or SIGKILL of this process as well
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from host_tools.problems import MISSING, Problem

_GUARD = Path(__file__).with_name("guard.py")
_STOP_S = 3.0  # between SIGTERM and SIGKILL


class Child:
    """One running process and the thread that reads its lines."""

    def __init__(
        self,
        name: str,
        process: "subprocess.Popen[str]",
        on_line: Callable[[str], None] | None,
        on_end: Callable[[int], None] | None,
        forget: Callable[["Child"], None],
    ) -> None:
        self.name = name
        self.process = process
        self._on_line = on_line
        self._on_end = on_end
        self._forget = forget
        self._thread = threading.Thread(target=self._read, name=f"{name}-lines", daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if self._on_line:
                self._on_line(line.rstrip("\r\n"))
        code = self.process.wait()
        self.process.stdout.close()
        self._forget(self)
        if self._on_end:
            self._on_end(code)

    def kill(self) -> None:
        """End the process with SIGKILL, as a power cut ends a board, and wait until it is gone."""
        self.process.kill()
        self._join()

    def stop(self) -> None:
        """Ask the process to end; kill it when it does not within 3 s."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._join()

    def _join(self) -> None:
        self.process.wait()
        if threading.current_thread() is not self._thread:
            self._thread.join(_STOP_S)


class Supervisor:
    """The owner of all children. Use it as a context manager."""

    def __init__(self) -> None:
        # A session of its own: a Ctrl-C at the terminal must not reach the guard.
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._children: list[Child] = []
        self._lock = threading.Lock()

    def spawn(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        on_line: Callable[[str], None] | None = None,
        on_end: Callable[[int], None] | None = None,
    ) -> Child:
        """Start a process; give its output line by line to on_line, its exit code to on_end.

        Both are called from a thread of the child's own. A Problem when the program is absent.
        """
        try:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                bufsize=1,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Problem(
                f"{command[0]} is not installed", "run `make setup`", code=MISSING
            ) from None
        self._tell("+", process.pid)
        with self._lock:
            child = Child(name, process, on_line, on_end, self._forget)
            self._children.append(child)
        return child

    def _tell(self, sign: str, pid: int) -> None:
        assert self._guard.stdin is not None
        try:
            self._guard.stdin.write(f"{sign}{pid}\n")
            self._guard.stdin.flush()
        except (BrokenPipeError, ValueError):
            return  # the guard has been stopped: we are at the end ourselves

    def _forget(self, child: Child) -> None:
        self._tell("-", child.process.pid)
        with self._lock:
            if child in self._children:
                self._children.remove(child)

    def close(self) -> None:
        """Stop every child, the newest first, then the guard."""
        with self._lock:
            children = list(reversed(self._children))
        for child in children:
            child.stop()
        if self._guard.stdin and not self._guard.stdin.closed:
            self._guard.stdin.close()
        self._guard.wait()

    def __enter__(self) -> "Supervisor":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every child."""
        self.close()
