"""Who orders by a broker with TLS: what OFFICE may do there, and how the verbs come to it."""

import json
import shutil

import pytest
import typer

from agent.mac import TAG_BYTES
from host_tools.commands import locate
from host_tools.problems import FAILED, INPUT, NETWORK, USAGE, Problem
from host_tools.processes.broker import free_port, program
from host_tools.remote.broker_at import context_for, context_of, day_context, host_and_port
from host_tools.remote.serve_bundle import BundleServer
from host_tools.trust import ca
from host_tools.trust.permissions import (
    MOSQUITTO_SETTINGS,
    OFFICE,
    VISITOR,
    mosquitto_acl,
    nats_users,
)
from tests.host.test_ca import PHRASE
from tests.host.test_permissions import _MOSQUITTO, _NATS, Peer, running
from tests.skips import skip

KEY = bytes(range(32))
_WAIT_S = 10


def _write(folder, name, certificate, key):
    (folder / f"{name}.pem").write_bytes(ca.pem(certificate))
    (folder / f"{name}.key.pem").write_bytes(key)
    (folder / f"{name}.key").write_bytes(key)


@pytest.fixture
def authority(tmp_path):
    """An authority with papers of a broker, of a gateway and of who orders."""
    made = ca.create(tmp_path / "ca", "Ville de X", PHRASE)
    _write(tmp_path, "server", *made.make_server("localhost"))
    for name in ("gw-1", OFFICE, VISITOR):
        _write(tmp_path, name, *made.make_visitor(name))
    return made


@pytest.fixture(params=["nats-server", "mosquitto"])
def port(request, tmp_path, authority):
    """Return the MQTT port of a broker set up as the project's own files say."""
    port, conf = free_port(), tmp_path / "conf"
    place = {"port": port, "folder": tmp_path, "server": tmp_path / "server"}
    place["ca"] = tmp_path / "ca" / "ca.pem"
    if request.param == "nats-server":
        (tmp_path / "gateways.conf").write_text(nats_users(["gw-1"]))
        conf.write_text(_NATS.format(client=free_port(), **place))
        found = program("nats-server")
    else:
        found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin") or ""
        if not found:
            skip("mosquitto is not installed: apt-get install mosquitto")
        (tmp_path / "acl").write_text(mosquitto_acl())
        settings = "\n".join(f"{setting} true" for setting in MOSQUITTO_SETTINGS)
        conf.write_text(_MOSQUITTO.format(settings=settings, **place))
    process = running([found, "-c", str(conf)], port, tmp_path, ECLOR_NATS_PASSWORD="x")
    yield port
    process.kill()
    process.wait()


def _tree(sealed):
    return json.loads(sealed[:-TAG_BYTES])


def _peer(port, folder, name):
    return Peer(port, folder / "ca" / "ca.pem", folder / name, name)


def test_the_office_orders_hears_answers_and_may_do_nothing_else(port, tmp_path, authority):
    gateway = _peer(port, tmp_path, "gw-1")
    assert gateway.subscribe("eclor/1/gw-1/cmd") and gateway.subscribe("eclor/1/gw-1/ack")
    context = day_context(tmp_path / "ca", PHRASE, OFFICE)
    with BundleServer("localhost", port, bytes(960), {"gw-1": KEY}, context) as server:
        server.command("gw-1", 7, "locate", {"seconds": 1})
        gateway.wait(lambda: gateway.heard)
        ((topic, sealed),) = gateway.heard
        assert topic == "eclor/1/gw-1/cmd" and _tree(sealed)["do"] == "locate"
        gateway.publish("eclor/1/gw-1/result", json.dumps({"id": "locate-7", "ok": True}).encode())
        assert server.wait(lambda: server.heard["gw-1"].answers, _WAIT_S)
        # The order came twice: what was done is said by the first answer.
        for answer in ({"id": "locate-7", "ok": False, "why": "old"}, {"id": "last", "ok": True}):
            gateway.publish("eclor/1/gw-1/result", json.dumps(answer).encode())
        assert server.wait(lambda: "last" in server.heard["gw-1"].answers, _WAIT_S)
        assert server.heard["gw-1"].answers["locate-7"]["ok"]
    other = _peer(port, tmp_path, OFFICE)
    visitor = _peer(port, tmp_path, VISITOR)
    for leaf in ("rec", "ack", "birth", "state"):
        other.publish(f"eclor/1/gw-1/{leaf}", b"forged")
    visitor.publish("eclor/1/gw-1/cmd", b"forged")
    other.publish("eclor/1/gw-1/cmd", b"end")
    gateway.wait(lambda: ("eclor/1/gw-1/cmd", b"end") in gateway.heard)
    assert b"forged" not in {payload for _, payload in gateway.heard}
    for peer in (gateway, other, visitor):
        peer.close()


def test_a_broker_that_refuses_us_is_said(port, tmp_path, authority):
    keys = {"gw-1": KEY}
    with (
        pytest.raises(Problem, match="the broker: it hung up") as no_papers,
        BundleServer("localhost", port, b"", keys, context_of(tmp_path / "ca" / "ca.pem", None)),
    ):
        pass
    assert no_papers.value.code == NETWORK
    with (
        pytest.raises(Problem, match="the broker: it hung up") as plain,
        BundleServer("localhost", port, b"", keys),
    ):
        pass
    assert plain.value.code == NETWORK


def test_the_verb_comes_to_it_with_files_and_with_papers_of_a_day(
    port, tmp_path, authority, monkeypatch, capsys
):
    (tmp_path / "keys.json").write_text(json.dumps({"gw-1": KEY.hex()}))
    gateway = _peer(port, tmp_path, "gw-1")
    assert gateway.subscribe("eclor/1/gw-1/cmd")

    def answer(_client, _data, message):
        tree = {"id": _tree(message.payload)["id"], "ok": False, "why": "this board has no LED"}
        gateway.client.publish("eclor/1/gw-1/result", json.dumps(tree), 1)

    gateway.client.on_message = answer
    monkeypatch.setattr(ca, "default_folder", lambda: tmp_path / "ca")
    monkeypatch.setenv("ECLOR_PASSPHRASE", PHRASE)
    trusted, own = tmp_path / "ca" / "ca.pem", tmp_path / f"{OFFICE}.pem"
    for way in ({"tls": True}, {"broker_ca": trusted, "broker_papers": own}):
        with pytest.raises(typer.Exit) as end:
            locate.command("gw-1", f"localhost:{port}", tmp_path / "keys.json", seconds=1, **way)
        assert end.value.exit_code == FAILED and "no LED" in capsys.readouterr().out
    gateway.close()


def test_files_that_cannot_be_used_are_named(tmp_path, authority):
    good = tmp_path / "ca" / "ca.pem"
    (tmp_path / "bad.pem").write_text("no certificate")
    for trusted, own, named in (
        (tmp_path / "none.pem", None, "none.pem"),
        (tmp_path / "bad.pem", None, "bad.pem"),
        (good, tmp_path / "bad.pem", "bad.pem"),
        (good, tmp_path / "absent.pem", "absent.pem"),
    ):
        with pytest.raises(Problem, match=named) as problem:
            context_for(OFFICE, False, trusted, own)
        assert problem.value.code == INPUT
    assert context_for(OFFICE, False, None, None) is None


@pytest.mark.parametrize("text", ["host", "host:", "host:x", "", "host:1883:x"])
def test_a_broker_without_a_port_is_refused(text):
    with pytest.raises(Problem, match="is not HOST:PORT") as problem:
        host_and_port(text)
    assert problem.value.code == USAGE
    assert host_and_port(":1883") == ("127.0.0.1", 1883)
