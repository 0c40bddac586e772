"""`eclor rollout`: a signed firmware to a fleet in waves, by the broker; it stops by itself."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import FAILED as NO
from host_tools.problems import OK, USAGE, Problem

if TYPE_CHECKING:
    from host_tools.remote.rollout import Rollout

NAME = "rollout"
_LOOK_S = 1.0
_STATUSES = {
    "offered": "it is offered",
    "trial": "it runs on trial",
    "confirmed": "it runs for good",
    "failed": "it failed",
}


def command(
    file: Annotated[Path, typer.Argument(help="The bundle, as eclor bundle made it.")],
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The gateways' broker.")],
    keys: Annotated[
        Path, typer.Option(help="Each gateway's key, as eclor collect has them: who takes part.")
    ],
    public: Annotated[
        Path, typer.Option(help="NAME.pub of the release key: what is not signed is not offered.")
    ],
    state: Annotated[
        Path, typer.Option(help="Where it is written how far it is; it goes on from there.")
    ] = Path("rollout.json"),
    waves: Annotated[
        str, typer.Option(help="Rising shares of the fleet, in percent.")
    ] = "5,25,100",
    bad: Annotated[
        int, typer.Option(help="Percent of a wave that may fail before all stops.")
    ] = 0,
    hours: Annotated[
        float, typer.Option(help="How long a gateway may take to fetch and prove it.")
    ] = 4.0,
    tls: options.Tls = False,
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per change.")] = False,
) -> None:
    """Offer a firmware to a few gateways, then to more, as long as each wave proves itself.

    A gateway has proved it when it runs it, has had something acknowledged, and as many meters
    answer as before. Exit code 1 when it stopped; Ctrl-C, and it goes on later.
    """
    from host_tools.packing import release
    from host_tools.remote.broker_at import context_for, host_and_port
    from host_tools.remote.rollout import DONE, GOING, Rollout
    from host_tools.remote.serve_bundle import BundleServer
    from host_tools.trust.key_file import read_keys
    from host_tools.trust.permissions import OFFICE

    try:
        data = file.read_bytes()
    except OSError as error:
        raise Problem(f"{file}: {error.strerror}", "give a bundle", code=USAGE) from None
    release.verify(data, release.read_public(public))
    known = {gateway: key[:32] for gateway, key in read_keys(keys).items()}
    try:
        shares = [int(share) for share in waves.split(",")]
    except ValueError:
        raise Problem("a share is no number", "--waves 5,25,100", code=USAGE) from None
    host, number = host_and_port(broker)
    context = context_for(OFFICE, tls, broker_ca, broker_papers)
    rollout = Rollout(data, sorted(known), shares, state, bad_percent=bad, limit_s=hours * 3600)
    shown: dict[str, str] = {}
    counter = 0
    with BundleServer(host, number, data, known, context) as server:
        while rollout.state == GOING:
            for gateway in rollout.step(server.heard, time.time()):
                counter = max(counter + 1, int(time.time()))  # above that of every offer before
                server.offer(gateway, counter)
            for member in rollout.members:
                if shown.get(member.gateway, "waiting") != member.status:
                    shown[member.gateway] = member.status
                    row = {"wave": member.wave + 1, "gateway": member.gateway}
                    row |= {"status": member.status, "why": member.why}
                    print(json.dumps(row) if as_json else _words(row), flush=True)
            if rollout.state == GOING:
                time.sleep(_LOOK_S)
    if as_json:
        print(json.dumps({"state": rollout.state, "why": rollout.why}))
    else:
        print(_last_words(rollout))
    raise typer.Exit(OK if rollout.state == DONE else NO)


def _last_words(rollout: "Rollout") -> str:
    from host_tools.remote.rollout import DONE, FAILED

    if rollout.state == DONE:
        return say("done: every gateway runs {version}", version=rollout.bundle.version)
    failed = [member for member in rollout.members if member.status == FAILED]
    wave = max(member.wave for member in failed)
    return say(
        "stopped: {failed} of {count} in wave {number} failed, as said above",
        failed=sum(member.wave == wave for member in failed),
        count=sum(member.wave == wave for member in rollout.members),
        number=wave + 1,
    )


def _words(row: dict[str, object]) -> str:
    from host_tools.remote.serve_bundle import refusal

    said = translated(_STATUSES.get(str(row["status"]), str(row["status"])))
    if row["why"]:
        said = say("{status}: {why}", status=said, why=translated(refusal(str(row["why"]))))
    return f"{say('wave {number}', number=row['wave'])}  {row['gateway']:20} {said}"
