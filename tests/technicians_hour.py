"""The technician's hour, shortened: from a bare board to an accepted gateway, as typed.

    python -m tests.technicians_hour [--lang fr] [--svg session.svg]

Seven commands and a label. The board is real MicroPython on a pseudo-terminal with two simulated
meters on its line; the broker is nats-server. On a bench `eclor flash` comes first, and `eclor
mock` not at all. `make pictures` draws the README's sessions.
"""

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent
SITE = """\
site: école
gateways:
  - name: gw-ecole
    board: host
    ports: [{name: rs485, uart: uart1, baud: 9600}]
    meters:
      - {name: chaufferie, port: rs485, protocol: modbus, map: sdm630, interval_s: 1,
         points: [power, voltage_l1, energy_import], options: {unit: 1, reply_ms: 3000}}
      - {name: cuisine, port: rs485, protocol: modbus, map: sdm120, interval_s: 1,
         points: [power, voltage], options: {unit: 2, reply_ms: 3000}}
    block: {flush_s: 1}
    uplink: {host: 127.0.0.1, port: PORT, state_s: 1}
"""
SCRIPT = """\
eclor mock --board bare --site site.yaml
eclor deploy --board host --port bare/port
eclor ca create Ville
eclor provision --port bare/port
eclor ca open gw-ecole.claim.json --keys keys.json
eclor collect --broker 127.0.0.1:PORT --keys keys.json &
eclor accept --port bare/port --reads 5 --technician Élodie
eclor label gw-ecole.claim.json"""


@dataclass
class Step:
    """One command, what it said, and how long it took."""

    command: str
    code: int
    seconds: float
    said: str


def run(folder: Path, language: str = "en") -> Iterator[Step]:
    """Type the script in a folder; yield each step as it ends. What it starts is stopped."""
    environment = os.environ | {
        "ECLOR_HOME": str(folder / "home"),
        "ECLOR_PASSPHRASE": "une longue phrase de passe",
        "ECLOR_LANG": language,
        "PYTHONPATH": str(ROOT),
    }
    with contextlib.ExitStack() as stack:
        broker = Broker(stack.enter_context(Supervisor()), folder / "broker")
        broker.start()
        (folder / "site.yaml").write_text(SITE.replace("PORT", str(broker.mqtt_port)), "utf-8")
        for line in SCRIPT.replace("PORT", str(broker.mqtt_port)).splitlines():
            words = [sys.executable, "-m", "host_tools", *line.removesuffix(" &").split()[1:]]
            begun_s = time.monotonic()
            if line.endswith(" &"):
                process = subprocess.Popen(
                    words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )  # fmt: skip
                stack.callback(process.wait)
                stack.callback(process.terminate)
                yield Step(line, 0, time.monotonic() - begun_s, "")
                continue
            done = subprocess.run(
                words, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
            if "mock" in words:
                stop = [sys.executable, "-m", "host_tools", "mock", "--board", "bare", "--stop"]
                stack.callback(subprocess.run, stop, cwd=folder, env=environment, check=False)
            seconds = time.monotonic() - begun_s
            yield Step(line, done.returncode, seconds, done.stdout)


def show(step: Step, folder: Path, console: Console) -> None:
    """Print a command and what it said as a terminal shows it; the folder's name is left out."""
    console.print(f"[bold]$ {escape(step.command)}[/]")
    console.print(_coloured(step.said.replace(f"{folder}/", "")) if step.said else "")


def terminal(*, is_silent: bool = False) -> Console:
    """Return a terminal that can be drawn."""
    file = io.StringIO() if is_silent else None
    return Console(record=True, highlight=False, soft_wrap=True, width=112, file=file)


def drawn(console: Console, seconds: float) -> str:
    """Return all that was shown as SVG, with the number of commands and their time below."""
    console.print(f"[dim]{len(SCRIPT.splitlines())} commands, {seconds:.0f} s[/]")
    # No font of somebody else's server: a picture shows without a network.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="eclor"), flags=re.S)
    return re.sub(r"<!--.*?-->\s*", "", svg)


def main() -> int:
    """Print each command, what it says, and its seconds; draw the session if asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lang", default="en", choices=("en", "fr"))
    parser.add_argument("--svg", type=Path, help="draw the session into this file")
    options = parser.parse_args()
    console = terminal()
    total_s = 0.0
    with tempfile.TemporaryDirectory() as made:
        for step in run(Path(made), options.lang):
            show(step, Path(made), console)
            total_s += step.seconds
            if step.code:
                return step.code
    svg = drawn(console, total_s)
    if options.svg:
        options.svg.parent.mkdir(parents=True, exist_ok=True)
        options.svg.write_text(svg, "utf-8")
    return 0


def _coloured(said: str) -> str:
    """Return what a command said, its verdicts in the colours that a terminal shows."""
    lines = []
    for line in said.rstrip().splitlines():
        word = line.partition(" ")[0].rstrip(":")
        style = _STYLES.get(word, "cyan" if line.lstrip().startswith("->") else "")
        lines.append(f"[{style}]{escape(line)}[/]" if style else escape(line))
    return "\n".join(lines) + "\n"


_STYLES = {"good": "green", "bon": "green", "note": "yellow", "remarque": "yellow", "not": "dim"}
_STYLES |= {"non": "dim", "gw-ecole": "bold green"}

if __name__ == "__main__":
    raise SystemExit(main())
