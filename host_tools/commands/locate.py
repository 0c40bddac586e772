"""`eclor locate`: let a gateway's LED blink, to find the board among others."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import FAILED, OK, USAGE, Problem

if TYPE_CHECKING:
    import ssl

NAME = "locate"
_WAIT_S = 10.0
_BLINK = """
import boot, time
chip = boot.Chip()
for i in range({steps}):
    chip.shine(1 - i % 2)
    time.sleep_ms(250)
"""


def command(
    gateway: Annotated[str, typer.Argument(help="Its name; with --port none.")] = "",
    broker: Annotated[str, typer.Option(metavar="HOST:PORT", help="The gateways' broker.")] = "",
    keys: Annotated[
        Path | None, typer.Option(help="Each gateway's key, as eclor collect has them.")
    ] = None,
    port: options.Port = "",
    tls: options.Tls = False,
    broker_ca: options.BrokerCa = None,
    broker_papers: options.BrokerPapers = None,
    seconds: Annotated[int, typer.Option(min=1, max=600, help="How long.")] = 60,
    as_json: options.Json = False,
) -> None:
    """Let a gateway's LED blink quickly: by the broker while it runs, or by its cable.

    By cable it stops for that time, and starts again. Exit code 1 when it has no LED.
    """
    from host_tools.remote.broker_at import context_for, host_and_port
    from host_tools.remote.serve_bundle import refusal
    from host_tools.trust.permissions import OFFICE

    if gateway:
        if not broker or keys is None:
            raise Problem(
                "by the broker: --broker and --keys are needed",
                "or give --port for the cable, and no name",
                code=USAGE,
            )
        context = context_for(OFFICE, tls, broker_ca, broker_papers)
        answer = _ask(gateway, host_and_port(broker), keys, seconds, context)
        told = {"gateway": gateway, "ok": answer["ok"], "why": answer.get("why", "")}
    else:
        told = _by_cable(port, seconds)
    if as_json:
        print(json.dumps(told))
    elif told["ok"]:
        name = gateway or told["port"]
        print(say("{name}: its LED blinks quickly, for {seconds} s", name=name, seconds=seconds))
    else:
        why = translated(refusal(str(told["why"])))
        print(say("{name}: no: {why}", name=gateway or told["port"], why=why))
    raise typer.Exit(OK if told["ok"] else FAILED)


def _ask(
    gateway: str,
    broker: tuple[str, int],
    keys: Path,
    seconds: int,
    context: "ssl.SSLContext | None",
) -> dict[str, object]:
    """Send the order and wait for its answer; a Problem when none comes."""
    from agent.mac import KEY_BYTES
    from host_tools.problems import NETWORK
    from host_tools.remote.serve_bundle import BundleServer
    from host_tools.trust.key_file import read_keys_of

    mine = {gateway: read_keys_of(keys, gateway)[:KEY_BYTES]}
    counter = int(time.time())
    with BundleServer(*broker, bytes(960), mine, context) as server:
        heard = server.heard[gateway]
        server.command(gateway, counter, "locate", {"seconds": seconds})
        name = f"locate-{counter}"
        if not server.wait(lambda: name in heard.answers, _WAIT_S):
            raise Problem(
                f"{gateway} does not answer", "is it on line? does it sleep?", code=NETWORK
            )
        return heard.answers[name]


def _by_cable(port: str, seconds: int) -> dict[str, object]:
    from host_tools.cable.ports import choose
    from host_tools.cable.prompt import Prompt

    place = choose(port).port
    with Prompt(place) as prompt:
        has_led = "led" in prompt.files(deep=False)
        if has_led:
            prompt.enter_maintenance(-(-seconds // 60) + 1)
            prompt.run(_BLINK.format(steps=4 * seconds), seconds + 10.0)
        prompt.reset()
    return {"port": place, "ok": has_led, "why": "" if has_led else "this board has no LED"}
