"""A process that forks a collector for each line on stdin, so that a kill costs milliseconds.

The collector is the real one over a Source that a test feeds through a socket, and dies by
SIGKILL where the line's plan says: before the n-th SQL statement, or at a named point. Or it is
the real one with everything, of a broker of MQTT, and dies when the test kills it.

    {"url": ..., "socket": PATH, "die": {"at": "marked", "after": 2}, "pages": 40}
    {"url": ..., "mqtt": 1883, "keys": {"gw-a": "64 hex digits"}}
"""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import traceback
from pathlib import Path

import host_tools  # noqa: F401  (the stand-in for `micropython`)

# In the order of a batch; "refused" is where the database would not have it.
POINTS = ("begun", "stored", "marked", "pubacked", "acknowledged")

_ROOT = Path(__file__).resolve().parents[2]


def start():
    """Start this process; return it. It answers each line with a pid, then with an exit code."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.collector_zygote"],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


class PipeSource:
    """A Source whose broker is a test at the other end of a socket."""

    def __init__(self, path, reach):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(path)
        self._reach = reach

    def start(self):
        pass

    def stop(self):
        pass

    def batch(self, most, wait_s):
        self._say("ready", None)
        data = self._socket.recv(1 << 22)
        if not data:
            os._exit(0)
        self._reach("begun")
        return pickle.loads(data)

    def done(self, tokens):
        self._say("done", list(tokens))
        self._reach("pubacked")

    def acknowledge(self, acks):
        for ack in acks:
            self._say("ack", (ack.gateway, ack.journal, ack.seq))
            self._reach("acknowledged")

    def _say(self, word, what):
        try:
            self._socket.send(pickle.dumps((word, what)))
        except OSError:  # the test hung up
            os._exit(0)


def collect(plan):
    """Be a collector until killed or until the test hangs up."""
    import sqlalchemy as sa

    from host_tools.collect import collector, store

    die = plan.get("die") or {"at": "", "after": 0}
    left = [die["after"]]

    def reach(point):
        if point == die["at"]:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    @sa.event.listens_for(sa.Engine, "before_cursor_execute")
    def statement(connection, cursor, text, parameters, context, many):
        reach("statement")

    if plan.get("pages"):

        @sa.event.listens_for(sa.Engine, "connect")
        def limit(connection, _):
            connection.execute(f"PRAGMA max_page_count={plan['pages']}")

    advance_all, take = store.advance_all, store.Store.take

    def advance(to, journals):
        reach("stored")
        return advance_all(to, journals)

    def take_and_reach(self, messages):
        try:
            outcome = take(self, messages)
        except sa.exc.DBAPIError:
            reach("refused")
            raise
        reach("marked")
        return outcome

    store.advance_all = advance
    setattr(store.Store, "take", take_and_reach)  # noqa: B010
    made = collector.Collector(
        "", 0, plan["url"], source=lambda _: PipeSource(plan["socket"], reach)
    )
    made._work()


def collect_by_mqtt(plan):
    """Be a collector until killed; started again where no database is there, as by systemd."""
    from host_tools.collect import Collector
    from host_tools.problems import Problem

    keys = {name: bytes.fromhex(key) for name, key in plan["keys"].items()}
    while True:
        try:
            Collector("127.0.0.1", plan["mqtt"], plan["url"], keys=keys).start()
            break
        except Problem:
            time.sleep(0.05)
    while True:
        signal.pause()


def main():
    import json
    import logging

    import host_tools.collect.collector
    import host_tools.collect.store  # noqa: F401

    try:
        import psycopg  # noqa: F401
    except ImportError:
        pass
    logging.disable()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            try:
                plan = json.loads(line)
                (collect_by_mqtt if "mqtt" in plan else collect)(plan)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(3)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
