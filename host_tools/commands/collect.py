"""`eclor collect`: records from a broker into a database until Ctrl-C."""

import json
import logging
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from host_tools.problems import USAGE, Problem

NAME = "collect"


def command(
    broker: Annotated[str, typer.Option(help="HOST:PORT of the MQTT broker")] = "127.0.0.1:1883",
    database: Annotated[
        str, typer.Option(help="where to: sqlite:///FILE.db, postgresql+psycopg://...")
    ] = "sqlite:///eclor.db",
    name: Annotated[
        str, typer.Option(help="tells collectors apart; the broker waits for this name")
    ] = "eclor-collector",
    rules: Annotated[
        Path | None, typer.Option(help="a file: what is kept, what is an alarm, who is told")
    ] = None,
    seconds: Annotated[float, typer.Option(help="stop after so long; 0: at Ctrl-C")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="totals as JSON at the end")] = False,
) -> None:
    """Store what gateways publish, acknowledge it after the commit, keep the rules."""
    from host_tools.collect import Collector
    from host_tools.collect.keeper import Keeper
    from host_tools.collect.rules import Rules, read_rules

    read = read_rules(rules) if rules else Rules()
    host, colon, port = broker.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Problem(f"{broker!r} is no broker address", "write HOST:PORT", code=USAGE)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    with ExitStack() as stack:
        collector = stack.enter_context(Collector(host, int(port), database, name=name))
        stack.enter_context(Keeper(collector.engine, read))
        deadline = time.monotonic() + seconds if seconds else None
        try:
            while deadline is None or time.monotonic() < deadline:
                left = 5.0 if deadline is None else min(5.0, deadline - time.monotonic())
                if collector.wait_for_batch(left):
                    print(f"{collector.progress.readings:,} readings stored", file=sys.stderr)
        except KeyboardInterrupt:
            if deadline is not None:
                raise
        progress = collector.progress
    if as_json:
        totals = asdict(progress)
        del totals["last_ack_s"]
        print(json.dumps(totals))
