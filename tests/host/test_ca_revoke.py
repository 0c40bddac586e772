"""A gateway that was stolen is shut out: by mosquitto, nats-server and the way in for POST."""

import os
import shutil
import socket
import ssl
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent import p256
from host_tools.commands import ca as commands
from host_tools.commands.collect import _context
from host_tools.problems import INPUT, OK, USAGE, Problem
from host_tools.processes.broker import free_port, program
from host_tools.trust import ca
from host_tools.trust.permissions import MOSQUITTO_SETTINGS, VISITOR, mosquitto_acl, nats_users
from tests.host.test_ca import PHRASE, ROOT, _handshake
from tests.host.test_permissions import _MOSQUITTO, _NATS, Peer, running
from tests.skips import skip

GATEWAYS = ("gw-1", "gw-2")


@pytest.fixture
def authority(tmp_path):
    """An authority of one's own, the broker's papers and those of two gateways."""
    made = ca.create(tmp_path / "ca", "Ville de X", PHRASE)
    certificate, key = made.make_server("localhost")
    (tmp_path / "server.pem").write_bytes(ca.pem(certificate))
    (tmp_path / "server.key.pem").write_bytes(key)
    for name in GATEWAYS:
        _paper(made, tmp_path, name)
    certificate, key = made.make_visitor(VISITOR)
    (tmp_path / "visitor.pem").write_bytes(ca.pem(certificate))
    (tmp_path / "visitor.key.pem").write_bytes(key)
    return made


def _paper(authority, folder, name):
    secret = p256.make(os.urandom(64))
    given = authority.sign_request(p256.request(name, secret, p256.public(secret)), name)
    (folder / f"{name}.pem").write_bytes(ca.pem(given))
    own = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())
    (folder / f"{name}.key.pem").write_bytes(
        own.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _gets_in(port, folder, name):
    """Whether a broker lets somebody with these papers in: by MQTT's first two packets."""
    context = ssl.create_default_context(cafile=str(folder / "ca" / "ca.pem"))
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key.pem")
    hello = b"\0\4MQTT\4\2\0\x3c" + len(name).to_bytes(2, "big") + name.encode()
    try:
        with (
            socket.create_connection(("localhost", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as sock,
        ):
            sock.sendall(bytes([0x10, len(hello)]) + hello)
            return sock.recv(4) == b"\x20\2\0\0"
    except OSError:
        return False


def _hears_the_gateway_alone(visitor, gateway):
    """Publish as both, and close both: what the visitor says reaches nobody."""
    visitor.publish("eclor/1/gw-2/birth", b"forged")
    gateway.publish("eclor/1/gw-2/birth", b"good")
    visitor.wait(lambda: visitor.heard)
    assert visitor.heard == [("eclor/1/gw-2/birth", b"good")]
    visitor.close()
    gateway.close()


def test_what_is_revoked_is_told_and_stays(authority):
    with pytest.raises(Problem) as error:
        authority.revoke("gw-9")
    assert error.value.code == INPUT
    (row,) = authority.revoke("gw-1")
    assert row.revoked and row.name == "gw-1"
    with pytest.raises(Problem, match="revoked already"):
        authority.revoke("gw-1")
    serial = next(row.serial for row in ca.rows(authority.folder) if row.name == "gw-2")
    authority.revoke(serial)
    told = {row.name: bool(row.revoked) for row in ca.rows(authority.folder)}
    assert told == {"Ville de X": False, "gw-1": True, "gw-2": True, "localhost": False}
    assert ca.revoked_names(authority.folder) == {"gw-1", "gw-2"}
    _paper(authority, authority.folder.parent, "gw-1")
    assert ca.revoked_names(authority.folder) == {"gw-2"}, "it has a new one"
    assert "visitor" not in str(list((authority.folder / "issued").iterdir())).lower()


def test_mosquitto_shuts_it_out(authority, tmp_path):
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if not found:
        skip("mosquitto is not installed: apt-get install mosquitto")
    authority.revoke("gw-1")
    (tmp_path / "acl").write_text(mosquitto_acl())
    seen = {}
    for crl in ("", f"crlfile {authority.folder / ca.REVOKED}\n"):
        port = free_port()
        conf = tmp_path / "mosquitto.conf"
        names = {"ca": authority.folder / "ca.pem", "server": tmp_path / "server"}
        names["settings"] = "\n".join(f"{setting} true" for setting in MOSQUITTO_SETTINGS)
        conf.write_text(_MOSQUITTO.format(port=port, folder=tmp_path, **names) + crl)
        process = running([found, "-c", str(conf)], port, tmp_path)
        try:
            seen[bool(crl)] = [_gets_in(port, tmp_path, name) for name in GATEWAYS]
            visitor = Peer(port, authority.folder / "ca.pem", tmp_path / "visitor", "visitor")
            gateway = Peer(port, authority.folder / "ca.pem", tmp_path / "gw-2", "gw-2")
            assert visitor.subscribe("eclor/1/gw-2/birth")
            _hears_the_gateway_alone(visitor, gateway)
        finally:
            process.kill()
            process.wait()
    assert seen == {False: [True, True], True: [False, True]}


def test_nats_shuts_it_out_and_a_visitor_only_listens(authority, tmp_path):
    authority.revoke("gw-1")
    gone = ca.revoked_names(authority.folder)
    (tmp_path / "gateways.conf").write_text(nats_users(set(GATEWAYS) - gone))
    port, client = free_port(), free_port()
    names = {"ca": authority.folder / "ca.pem", "server": tmp_path / "server"}
    conf = tmp_path / "nats.conf"
    conf.write_text(_NATS.format(client=client, port=port, folder=tmp_path, **names))
    command = [program("nats-server"), "-c", str(conf)]
    process = running(command, port, tmp_path, ECLOR_NATS_PASSWORD="word")
    try:
        assert [_gets_in(port, tmp_path, name) for name in GATEWAYS] == [False, True]
        visitor = Peer(port, authority.folder / "ca.pem", tmp_path / "visitor", "visitor")
        gateway = Peer(port, authority.folder / "ca.pem", tmp_path / "gw-2", "gw-2")
        assert visitor.subscribe("eclor/1/gw-2/birth") and visitor.subscribe("eclor/1/gw-2/state")
        for topic in ("eclor/1/gw-2/ack", "eclor/1/gw-2/cmd", "#"):
            assert not visitor.subscribe(topic), topic
        _hears_the_gateway_alone(visitor, gateway)
    finally:
        process.kill()
        process.wait()


def test_the_way_in_for_post_shuts_it_out(authority, tmp_path):
    authority.revoke("gw-1")
    both = tmp_path / "both.pem"
    both.write_bytes(
        (tmp_path / "server.pem").read_bytes() + (tmp_path / "server.key.pem").read_bytes()
    )
    server = _context(both, authority.folder / "ca.pem", authority.folder / ca.REVOKED)
    for name, is_good in (("gw-2", True), ("gw-1", False)):
        client = ssl.create_default_context(cafile=str(authority.folder / "ca.pem"))
        client.load_cert_chain(tmp_path / f"{name}.pem", tmp_path / f"{name}.key.pem")
        if is_good:
            _handshake(server, client)
        else:
            with pytest.raises(ssl.SSLError, match="revoked"):
                _handshake(server, client)
    with pytest.raises(Problem) as error:
        _context(both, None, authority.folder / ca.REVOKED)
    assert error.value.code == USAGE


def test_from_the_command_line(authority, tmp_path, capsys):
    done = subprocess.run(
        [sys.executable, "-m", "host_tools", "ca", "revoke", "gw-1", "--folder", tmp_path / "ca"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ECLOR_PASSPHRASE": PHRASE, "ECLOR_LANG": "fr"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == OK and "est révoqué" in done.stdout, done.stderr
    commands.show(authority.folder)
    assert "revoked 2" in capsys.readouterr().out
    site = tmp_path / "site.yaml"
    gateways = "".join(f"  - {{name: {name}, board: host}}\n" for name in GATEWAYS)
    site.write_text("site: x\ngateways:\n" + gateways)
    commands.permissions(site, folder=authority.folder)
    told = capsys.readouterr().out
    assert "CN=gw-2" in told and "CN=gw-1" not in told
