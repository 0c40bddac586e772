"""`eclor collect`: records from a broker into a database until Ctrl-C."""

import json
import logging
import ssl
import sys
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from host_tools.language import say
from host_tools.problems import INPUT, NETWORK, USAGE, Problem

NAME = "collect"
_BATCH = 500


def command(
    broker: Annotated[str, typer.Option(help="HOST:PORT of the MQTT broker.")] = "127.0.0.1:1883",
    jetstream: Annotated[
        str | None,
        typer.Option(help="Instead of MQTT: nats://HOST:PORT of each node, commas between."),
    ] = None,
    replicas: Annotated[int, typer.Option(help="Copies of the stream when it is made.")] = 1,
    since: Annotated[
        str | None,
        typer.Option(help="Take again what the stream holds from 2026-05-04T10:30+02:00 on."),
    ] = None,
    database: Annotated[
        str, typer.Option(help="Where to: sqlite:///FILE.db, postgresql+psycopg://...")
    ] = "sqlite:///eclor.db",
    name: Annotated[
        str,
        typer.Option(help="Tells collectors apart; with --jetstream the same name shares work."),
    ] = "eclor-collector",
    rules: Annotated[
        Path | None, typer.Option(help="A file: what is kept, what is an alarm, who is told.")
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(help="JSON: gateway to its key, 64 hex digits, or two: new, old; followed."),
    ] = None,
    https: Annotated[
        str | None, typer.Option(help="HOST:PORT of the way in for POST; see --certificate.")
    ] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM of --https, key included.")] = None,
    client_ca: Annotated[
        Path | None, typer.Option(help="PEM: gateways must show a certificate of this CA.")
    ] = None,
    client_crl: Annotated[
        Path | None, typer.Option(help="PEM: certificates of that CA that are revoked.")
    ] = None,
    bundles: Annotated[
        Path | None,
        typer.Option(help="With --https, a folder: NAME.bundle is the firmware offered to NAME."),
    ] = None,
    archives: Annotated[
        list[Path] | None,
        typer.Option("--import", help="Only store what archives of eclor backup hold, and end."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0: at Ctrl-C.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Totals as JSON at the end.")] = False,
) -> None:
    """Store what gateways publish, acknowledge it after the commit, keep the rules."""
    from host_tools.collect import Collector
    from host_tools.collect.endpoint import Endpoint
    from host_tools.collect.keeper import Keeper
    from host_tools.collect.outputs.configured import configured
    from host_tools.collect.rules import Rules, read_rules
    from host_tools.collect.store import Store
    from host_tools.trust.key_file import KeyFile

    if archives:
        _import(archives, database, as_json=as_json)
        return
    read = read_rules(rules) if rules else Rules()
    known = KeyFile(keys) if keys else {}
    host, port = _address(broker, "broker")
    tls = _context(certificate, client_ca, client_crl)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    source = None
    if jetstream:
        from host_tools.collect.jetstream import JetStream

        begin = _moment(since) if since else None
        nodes = jetstream.split(",")
        source = lambda change: JetStream(nodes, name, change, known, replicas, begin)  # noqa: E731
    with ExitStack() as stack:
        collector = Collector(host, port, database, name=name, keys=known, source=source)
        stack.enter_context(collector)
        outputs = [follow.run for follow in configured(collector.engine, read)]
        stack.enter_context(Keeper(collector.engine, read, outputs))
        if https:
            listen = _address(https, "listening")
            try:
                endpoint = Endpoint(Store(collector.engine), listen, tls, known, bundles)
            except (OSError, ValueError) as error:
                remedy = "give --certificate, or listen on 127.0.0.1 on a free port"
                raise Problem(f"--https {https}: {error}", remedy, code=NETWORK) from None
            stack.enter_context(endpoint)
        deadline = time.monotonic() + seconds if seconds else None
        try:
            while deadline is None or time.monotonic() < deadline:
                left = 5.0 if deadline is None else min(5.0, deadline - time.monotonic())
                if collector.wait_for_batch(left):
                    count = f"{collector.progress.readings:,}"
                    print(say("{count} readings stored", count=count), file=sys.stderr)
        except KeyboardInterrupt:
            if deadline is not None:
                raise
        progress = collector.progress
    if as_json:
        totals = asdict(progress)
        del totals["last_ack_s"]
        print(json.dumps(totals))


def _import(archives: list[Path], database: str, *, as_json: bool) -> None:
    from host_tools.collect.database import open_database
    from host_tools.collect.rescue import rescue
    from host_tools.collect.store import Store

    found = [rescue(path) for path in archives]  # all are whole before anything is stored
    engine = open_database(database)
    store = Store(engine)
    for path, rescued in zip(archives, found, strict=True):
        messages = rescued.messages()
        done = [store.take(messages[at : at + _BATCH]) for at in range(0, len(messages), _BATCH)]
        told = {
            "file": str(path),
            "gateway": rescued.gateway,
            "records": len(messages),
            "readings": sum(outcome.readings for outcome in done),
            "repeats": sum(outcome.repeats for outcome in done),
            "parked": sum(outcome.parked for outcome in done),
            "refused": sum(len(outcome.refused) for outcome in done),
            "open_blocks": rescued.open_blocks,
            "damaged": rescued.damaged,
        }
        if as_json:
            print(json.dumps(told, ensure_ascii=False))
        else:
            print(
                say(
                    "{file}: {gateway}, {records} records: {readings} readings stored, {repeats} "
                    "were there, {parked} wait for their schema, {refused} refused, {damaged} "
                    "places damaged; {open_blocks} open blocks have no number and stay",
                    **told,
                )
            )
    engine.dispose()


def _address(text: str, what: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Problem(f"{text!r} is no {what} address", "write HOST:PORT", code=USAGE)
    return host, int(port)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        remedy = "write 2026-05-04T10:30+02:00"
        raise Problem(f"{text!r} is no time with a zone", remedy, code=USAGE)
    return found


def _context(
    certificate: Path | None, client_ca: Path | None, client_crl: Path | None = None
) -> ssl.SSLContext | None:
    if client_crl is not None and client_ca is None:
        raise Problem("--client-crl needs --client-ca", "give both", code=USAGE)
    if certificate is None:
        if client_ca is not None:
            raise Problem("--client-ca needs --certificate", "give both", code=USAGE)
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        if client_crl is not None:
            context.load_verify_locations(client_crl)
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    except (OSError, ssl.SSLError) as error:
        remedy = "give PEM files; --certificate holds certificate and key"
        raise Problem(f"{certificate}: {error}", remedy, code=INPUT) from None
    return context
