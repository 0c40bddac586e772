"""`eclor config`: the settings of a gateway, by its cable."""

import json
from pathlib import Path

import typer

from host_tools import options
from host_tools.language import say, translated
from host_tools.problems import FAILED, OK

NAME = "config"
app = typer.Typer(
    no_args_is_help=True,
    help="Settings of a gateway by its cable; it restarts, its readings are kept.",
)
_Port = options.Port
_Site = options.Site
_Gateway = options.Gateway
_Json = options.Json


@app.command("show")
def show(port: _Port = "", as_json: _Json = False) -> None:
    """Show who it is and its settings; of secrets the names."""
    from host_tools.cable.ports import choose
    from host_tools.cable.provision import settings

    told = settings(choose(port).port)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
        return
    for name in ("gateway", "board", "id", "runtime", "hash", "note"):
        print(f"{say(name):14} {told[name]}")
    print(f"{say('on trial'):14} {say('yes') if told['trial'] else say('no')}")
    print(f"{say('secrets'):14} {', '.join(told['secrets'])}")
    print(json.dumps(told["config"], indent=1, ensure_ascii=False))


@app.command("problems")
def problems(
    site: _Site = Path("site.yaml"),
    gateway: _Gateway = "",
    port: _Port = "",
    as_json: _Json = False,
) -> None:
    """Say what the gateway's own firmware finds wrong with a site file; nothing is changed.

    Exit code 1 when something is.
    """
    from host_tools.cable import provision
    from host_tools.cable.ports import choose
    from host_tools.planning.site_file import read_site

    plan = provision.plan_for(read_site(site), gateway)
    found = provision.problems(choose(port).port, plan)
    if as_json:
        print(json.dumps({"gateway": plan.gateway, "problems": found}, ensure_ascii=False))
    for problem in found:
        path, _, rule = problem.partition(": ")
        if not as_json:
            print(f"{path}: {translated(rule)}")
    if not found and not as_json:
        print(say("{gateway}: nothing is wrong", gateway=plan.gateway))
    raise typer.Exit(FAILED if found else OK)


@app.command("push")
def push(
    site: _Site = Path("site.yaml"),
    gateway: _Gateway = "",
    port: _Port = "",
    as_json: _Json = False,
) -> None:
    """Give a gateway the settings of a site file, on trial; its secrets stay as they are.

    They are kept once the collector has acknowledged something; else the last good ones return.
    """
    from host_tools.cable import provision
    from host_tools.cable.ports import choose
    from host_tools.planning.site_file import read_site

    plan = provision.plan_for(read_site(site), gateway)
    told = provision.push(choose(port).port, plan)
    if as_json:
        print(json.dumps(told))
    else:
        print(
            say(
                "{gateway}: has its new settings, {hash}",
                gateway=plan.gateway,
                hash=told["config"],
            )
        )
        print(say("its settings are on trial until the collector has acknowledged something"))
