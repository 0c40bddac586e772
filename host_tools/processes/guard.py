"""Kill the children of a supervisor that died without stopping them.

Run as a process of its own by supervisor.py, which holds the only writing end of this process's
stdin. Each line there is `+PID` (watch) or `-PID` (reaped, forget). When the pipe
ends, whatever is still watched gets SIGKILL: an end of file comes also after SIGKILL of the
supervisor, which no signal handler can catch. Portable, and independent of which thread
started a child (PR_SET_PDEATHSIG is neither).
"""

import os
import signal
import sys
from typing import TextIO


def watch(lines: TextIO) -> set[int]:
    """Read until the end; return the process ids that are still watched."""
    watched: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line[0] == "+":
            watched.add(pid)
        else:
            watched.discard(pid)
    return watched


def main() -> None:
    """Watch stdin to its end, then kill."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for pid in watch(sys.stdin):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


if __name__ == "__main__":
    main()
