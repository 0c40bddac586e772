"""A real PostgreSQL server in a temporary folder, for tests and benchmarks; root is not needed.

Debian's package (.ci/test-packages installs it). PostgreSQL refuses to run as root, so under
root it runs as `nobody`. It listens on loopback only, without a password.

    with PostgreSQL() as server:
        engine = open_database(server.new_database())
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from host_tools.processes.broker import free_port

_DEADLINE_S = 30


def programs():
    """Return the folder of initdb and postgres; None when they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _is_alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def _plain(url):
    return url.replace("postgresql+psycopg:", "postgresql:")


class PostgreSQL:
    """One server; kill() is a crash, start() comes back on the same port and files.

    durable  wait for the disk at each commit; off where only the SQL is looked at
    """

    def __init__(self, durable=False):
        self._programs = programs()
        assert self._programs is not None, "ask programs() first"
        self.folder = Path(tempfile.mkdtemp(prefix="eclor-postgresql-"))
        self._durable = durable
        self._count = 0
        self._server: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody", "nogroup")
        self._run("initdb", "-D", str(self.folder), "-A", "trust", "-U", "eclor", "-E", "UTF8")

    def _command(self, program, *words):
        drop = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        return [
            *(drop if os.geteuid() == 0 else []),
            *("setpriv", "--pdeathsig=KILL"),  # never outlives the test that started it
            str(self._programs / program),
            *words,
        ]

    def _run(self, program, *words):
        done = subprocess.run(
            self._command(program, *words), capture_output=True, text=True, cwd="/", check=False
        )
        assert done.returncode == 0, done.stderr

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Start and wait until it answers."""
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "max_connections=60"]
        settings.append(f"unix_socket_directories={self.folder}")
        if not self._durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        words = [word for setting in settings for word in ("-c", setting)]
        self._server = subprocess.Popen(
            self._command("postgres", "-D", str(self.folder), *words),
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        import psycopg

        deadline = time.monotonic() + _DEADLINE_S
        while True:
            try:
                psycopg.connect(self._dsn("postgres")).close()
                return
            except psycopg.OperationalError:
                assert self._server.poll() is None, "postgres ended"
                assert time.monotonic() < deadline, "postgres does not answer"
                time.sleep(0.02)

    def kill(self):
        """End it with SIGQUIT, PostgreSQL's own crash: no shutdown, the log is replayed."""
        assert self._server is not None, "start() first"
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(_DEADLINE_S)

    def kill_9(self):
        """End each of its processes with SIGKILL, in the middle of whatever it does."""
        assert self._server is not None, "start() first"
        number = self._server.pid
        self._server.send_signal(signal.SIGSTOP)  # no child more
        children = Path(f"/proc/{number}/task/{number}/children").read_text().split()
        for pid in (number, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._server.wait(_DEADLINE_S)
        # While one of them is left, its shared memory lets no server start.
        deadline = time.monotonic() + _DEADLINE_S
        while any(map(_is_alive, children)):
            assert time.monotonic() < deadline, "a process of PostgreSQL does not end"
            time.sleep(0.005)

    def dump(self, url, path):
        """Write a backup of a database, as pg_dump makes it."""
        self._run("pg_dump", "-F", "c", "-f", str(path), _plain(url))

    def restore(self, url, path):
        """Put a backup in a database's place."""
        import psycopg

        name = url.rpartition("/")[2]
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        self._run("pg_restore", "-d", _plain(url), str(path))

    def _dsn(self, name):
        return f"postgresql://eclor@127.0.0.1:{self.port}/{name}"

    def new_database(self):
        """Make an empty database; return its URL for open_database()."""
        import psycopg

        self._count += 1
        name = f"eclor_{self._count}"
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return self._dsn(name).replace("postgresql:", "postgresql+psycopg:")
