"""`eclor fleet`: try collectors on thousands of gateways, with kills, and count what is stored."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from host_tools.problems import FAILED, OK

NAME = "fleet"


def command(
    gateways: Annotated[int, typer.Option(help="Each with a real MQTT connection.", min=1)] = 100,
    records: Annotated[int, typer.Option(help="Blocks of 60 readings per gateway.", min=1)] = 4,
    collectors: Annotated[int, typer.Option(help="Side by side.", min=1)] = 3,
    nodes: Annotated[int, typer.Option(help="Of the broker cluster, 1 or 3.", min=1)] = 3,
    database: Annotated[
        str | None, typer.Option(help="An empty one; without, SQLite in a temporary folder.")
    ] = None,
    kill: Annotated[
        bool,
        typer.Option(
            help="Kill -9 a node and a collector on the way, then all of them; bring them back."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of journals, waits and who is killed.")] = 0,
    patience: Annotated[
        float, typer.Option(help="Give up when nothing is acknowledged for so many seconds.")
    ] = 600,
) -> None:
    """Drive a fleet against a broker cluster and collectors on loopback; print the figures.

    Exit code 1 when something acknowledged was lost, anything is stored twice, altered or out of
    order, or nothing went on any more.
    """
    from host_tools.collect.fleet.trial import run_trial

    with tempfile.TemporaryDirectory(prefix="eclor-fleet-") as folder:
        result = run_trial(
            Path(folder),
            database or f"sqlite:///{folder}/readings.db",
            gateways=gateways,
            records=records,
            collectors=collectors,
            nodes=nodes,
            kill=kill,
            seed=seed,
            patience_s=patience,
        )
    print(json.dumps(result))
    wrong = ("lost", "duplicated", "altered", "disordered")
    right = result["finished"] and not any(result[word] for word in wrong)
    raise typer.Exit(OK if right else FAILED)
