"""MQTT clients of others for MicroPython, fetched by pip into build/peers/ when a bench runs.

Their archives are older than today's packaging and hold no build file, so pip finds and names
them but installs nothing: the one that pip names is taken, checked against its known hash and
unpacked. Where pip reaches no index there is no peer, and the bench says so.

    folder = fetch(UMQTT_SIMPLE)        # what goes on MicroPython's path; None: unreachable
"""

import hashlib
import re
import subprocess
import sys
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.on_micropython import ROOT

_FOLDER = ROOT / "build" / "peers"
_WAIT_S = 30


@dataclass(frozen=True)
class Peer:
    """A pinned archive: what pip calls it, its SHA-256, and the folder inside."""

    package: str
    version: str
    sha256: str

    @property
    def label(self) -> str:
        """What the bench's table calls it."""
        return f"{self.package.removeprefix('micropython-')} {self.version}"


UMQTT_SIMPLE = Peer(
    "micropython-umqtt.simple",
    "1.3.4",
    "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f",
)
# mqtt_as itself is in no package index; this is its descendant, with an API "largely compatible".
MQTT_ASYNC = Peer(
    "micropython-mqtt-async",
    "0.7b4",
    "c10a8a34064adad629f71f7ea559f7070169ce13c180265509f68f58618eec2b",
)


def fetch(peer: Peer) -> Path | None:
    """Return the folder of the unpacked archive, fetched once; None where it is unreachable."""
    folder = _FOLDER / f"{peer.package}-{peer.version}"
    if folder.exists():
        return folder
    _FOLDER.mkdir(parents=True, exist_ok=True)
    asked = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"),
            *("--timeout", "10", "--retries", "0", "-d", str(_FOLDER)),
            f"{peer.package}=={peer.version}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    named = re.search(r"https?://\S+\.tar\.gz", asked.stdout + asked.stderr)
    if not named:
        return None
    try:
        with urllib.request.urlopen(named.group(), timeout=_WAIT_S) as answer:
            data = answer.read(1 << 20)
    except OSError:
        return None
    if hashlib.sha256(data).hexdigest() != peer.sha256:
        raise ValueError(f"{named.group()} is not the archive that this bench knows")
    archive = _FOLDER / f"{folder.name}.tar.gz"
    archive.write_bytes(data)
    with tarfile.open(archive) as opened:
        opened.extractall(_FOLDER, filter="data")
    return folder if folder.exists() else None
