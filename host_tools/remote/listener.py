"""A broker listened to from beside the gateways: for monitor, accept and the technician's page.

    close = listen("gw-ecole", "127.0.0.1", 1883, take)      # take(topic, payload, was_kept)
    listen = as_visitor(Path("ca"), passphrase)              # where the broker wants papers

Nothing is published. Not here: what the words mean (monitor.py, acceptance/running.py); storing
them (collect/).
"""

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from host_tools.cable.provision import Plan
from host_tools.remote.broker_at import context_of, day_context, host_and_port
from host_tools.trust.permissions import SHOWS, VISITOR

Take = Callable[[str, bytes, bool], None]  # topic, payload, whether the broker had kept it
Close = Callable[[], None]
Listen = Callable[[str, str, int, Take], Close]


def address(plan: Plan, given: str = "") -> tuple[str, int]:
    """Return host and port of the broker: as given, or of the settings.

    given: HOST:PORT, or "". A Problem for anything else.
    """
    if given:
        return host_and_port(given)
    uplink = plan.config.get("uplink", {})
    port = uplink.get("port") or (8883 if uplink.get("tls") else 1883)
    return str(uplink.get("host", "127.0.0.1")), int(port)


def listen(
    gateway: str,
    host: str,
    port: int,
    take: Take,
    context: ssl.SSLContext | None = None,
) -> Close:
    """Hand over what a gateway shows, "+" for all of them, on a thread; return what ends it.

    context: of broker_at.py; None: without TLS. Raises OSError when the broker is not reached.
    """
    import paho.mqtt.client as mqtt

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    if context:
        client.tls_set_context(context)

    def on_connect(*_: Any) -> None:
        client.subscribe([(f"eclor/1/{gateway}/{leaf}", 1) for leaf in SHOWS])

    def on_message(_c: Any, _u: Any, message: Any) -> None:
        take(message.topic, bytes(message.payload), bool(message.retain))

    client.on_connect = on_connect
    client.on_message = on_message
    client.connect(host, port, 30)
    client.loop_start()

    def close() -> None:
        client.disconnect()
        client.loop_stop()

    return close


def with_papers(authority: Path, papers: Path | None) -> Listen:
    """Return a way to listen with files in PEM; papers: our certificate, its .key beside it."""
    return partial(listen, context=context_of(authority, papers))


def is_ours(plan: Plan, folder: Path) -> bool:
    """Whether the broker wants TLS, and its authority is likely the one of this folder."""
    return bool(plan.config.get("uplink", {}).get("tls")) and (folder / "ca.pem").exists()


def as_visitor(folder: Path, passphrase: str) -> Listen:
    """Return a way to listen to a broker with TLS whose authority is in this folder.

    The broker sees a certificate of one day, of a name that may only listen (permissions.py); its
    key is gone from this computer as soon as it is loaded.
    """
    return partial(listen, context=day_context(folder, passphrase, VISITOR))
