"""The acceptance test of a gateway, on the spot: what works is measured, what does not is named.

    report = run("/dev/ttyUSB0", plan, Options(reads=20), tell)
    report.is_accepted, report.verdict

First it stands still: its firmware, settings and secrets are looked at on its flash, and each
meter is asked through its own line (standing.py). Then it runs: the broker shows whether it comes
on line, is acknowledged, knows the time (running.py); where this computer does not reach the
broker, its journal shows the acknowledgement (cable.py). A gateway whose uplink was not proved is
not accepted, unless a person says so; the report then says it too. The report on paper and its
signature: paper.py. Words on a terminal: commands/accept.py.
"""

import queue
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from host_tools.acceptance import cable
from host_tools.acceptance.findings import SKIPPED, UPLINK, Report
from host_tools.acceptance.running import Message, into, judge
from host_tools.acceptance.standing import Tell, look
from host_tools.cable.prompt import Prompt
from host_tools.cable.provision import Plan, open_gateway
from host_tools.problems import NETWORK, Problem
from host_tools.remote.listener import Listen, address, listen
from host_tools.trust import claim


@dataclass
class Options:
    """How much is looked at."""

    reads: int = 10
    public: Path | None = None  # NAME.pub that must have signed the firmware
    broker: str = ""  # HOST:PORT as seen from here; "": of the settings
    wait_s: float = 60.0  # for the broker to hear of it
    cable_s: float = 0.0  # how long it runs where no broker is reached; 0: as its settings need
    cut: Callable[[], None] | None = None  # takes the power away and gives it back
    listen: Listen = listen
    without_uplink: bool = False  # it need not be proved


def run(port: str, plan: Plan, options: Options, tell: Tell = lambda share, words: None) -> Report:
    """Test the gateway on a port; a Problem only where it cannot be tested at all."""
    tell(0.0, "preparing")
    with Prompt(port) as prompt:
        identity = open_gateway(prompt)
        report = Report(
            identity["gateway"],
            plan.site,
            identity["board"] or plan.board,
            identity["id"],
            claim.Identity(identity["gateway"], "", "", identity["id"], identity["key"]).reference,
            datetime.now(UTC).isoformat(timespec="seconds"),
            runtime=identity["runtime"],
            config=identity["config"],
            without_uplink=options.without_uplink,
        )
        look(report, prompt, plan, identity, reads=options.reads, public=options.public, tell=tell)
        messages: queue.Queue[Message] = queue.Queue()
        close = None if options.without_uplink else _listen(plan, options, messages)
        before = None
        if options.without_uplink:
            report.add(UPLINK, SKIPPED, "left out, as was asked for: --without-uplink")
        elif not close:
            before = cable.numbers(prompt, report.board)
        tell(0.7, "starting it")
        try:
            prompt.reset()
            if close:
                judge(report, messages, wait_s=options.wait_s, cut=options.cut, tell=tell)
            elif before:
                tell(0.75, "no broker from here: its journal is awaited")
                wait_s = options.cable_s or cable.patience_s(plan)
                cable.judge(report, prompt, report.board, before, wait_s, options.cut)
        finally:
            if close:
                close()
    tell(1.0, "done")
    return report


def _listen(
    plan: Plan, options: Options, messages: "queue.Queue[Message]"
) -> Callable[[], None] | None:
    """Begin to listen; None when there is no broker, or none that is reached from here."""
    if plan.config.get("uplink", {}).get("kind", "mqtt") != "mqtt":
        return None
    host, number = address(plan, options.broker)
    try:
        return options.listen(plan.gateway, host, number, into(messages))
    except (OSError, ValueError) as error:
        if options.broker:
            raise Problem(
                f"no broker at {host}:{number} from here: {error}",
                "leave --broker out: its journal will show it; --broker-ca where it wants TLS",
                code=NETWORK,
            ) from None
        return None
