"""`eclor ca rotate` while all runs: collector and gateway go over, whatever interrupts it."""

import json
import threading
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from typer.testing import CliRunner

from agent import p256
from agent.keys import following, name_of
from agent.mac import Mac
from host_tools.collect import Collector, tables
from host_tools.collect.messages import Message
from host_tools.collect.seals import Seals
from host_tools.collect.transaction import Ack
from host_tools.commands.ca import app
from host_tools.packing import bundle, release
from host_tools.problems import FAILED, NETWORK, Problem
from host_tools.remote import rotate
from host_tools.trust import ca
from host_tools.trust.key_file import KeyFile, read_keys, write_keys
from tests.fakes.broker_process import BrokerProcess
from tests.fakes.updating_fleet import Fleet, key_of, keys_file

NAME = "gw-a"
PHRASE = "une longue phrase de passe"
WAIT_S = 60


@pytest.fixture(scope="module")
def firmware():
    key = rsa.generate_private_key(65537, 3072)
    files = {"behaves": b"well", "agent/app.mpy": b"1" * 3000}
    return release.sign(bundle.pack(files, "1.0", 1, ["host"]), key), release.modulus(key)


@pytest.fixture
def world(tmp_path, firmware):
    """A gateway that runs the real App, a broker, a collector that follows the file of keys."""
    (tmp_path / "broker").mkdir()
    path = keys_file(tmp_path / "keys.json", [NAME])
    with ExitStack() as stack:
        broker = stack.enter_context(BrokerProcess("nats", tmp_path / "broker"))
        collector = stack.enter_context(
            Collector("127.0.0.1", broker.port, f"sqlite:///{tmp_path}/r.db", keys=KeyFile(path))
        )
        address = ("127.0.0.1", broker.port)
        fleet = stack.enter_context(Fleet(tmp_path / "fleet", address, [NAME], *firmware))
        assert collector.wait_for(lambda now: now.acks > 0, WAIT_S)
        yield SimpleNamespace(
            path=path, port=broker.port, collector=collector, gateway=fleet.gateways[0]
        )
        assert fleet.error is None


def _turn(world, **options):
    return rotate.rotate(NAME, world.path, "127.0.0.1", world.port, wait_s=WAIT_S, **options)


def _key_in_force(world):
    """Return the gateway's key once nothing is on trial; its records are stored under it."""
    records = world.collector.progress.records
    world.gateway.app.note_event("test", "after")
    world.gateway.app.journal.sync()
    assert world.collector.wait_for(lambda now: now.records > records, WAIT_S)
    keys = world.gateway.app.load_keys()
    assert keys.trial == ""
    return keys._key


def test_a_running_gateway_and_its_collector_go_over_to_the_next_key(world):
    names = [_turn(world), _turn(world)]
    assert len({*names, name_of(key_of(NAME))}) == 3
    kept = read_keys(world.path)[NAME]
    assert name_of(kept) == names[1] and _key_in_force(world) == kept
    assert world.path.stat().st_mode & 0o077 == 0
    with world.collector.engine.connect() as connection:
        assert connection.scalars(sa.select(tables.quarantine.c.reason)).all() == []
        told = connection.scalars(
            sa.select(tables.event.c.why).where(tables.event.c.what == "key_changed")
        ).all()
    assert names[0] in told


@pytest.mark.parametrize("step", range(1, 7))
def test_whatever_interrupts_it_costs_no_record_and_the_next_run_ends_it(world, mocker, step):
    """Cut before each write of the file (1, 3, 5) and before each answer is seen (2, 4)."""
    done = []

    def cut(method):
        def run(self, *args):
            done.append(method)
            if len(done) == step:
                if method is sent:
                    method(self, *args)  # it went, and nobody was there for the answer
                raise KeyboardInterrupt
            return method(self, *args)

        return run

    kept, sent = rotate._Office.keep, rotate._Office._send
    mocker.patch.object(rotate._Office, "keep", cut(kept))
    mocker.patch.object(rotate._Office, "_send", cut(sent))
    if step < 6:
        with pytest.raises(KeyboardInterrupt):
            _turn(world)
    else:
        _turn(world)
    mocker.stopall()
    held = read_keys(world.path)[NAME]
    assert world.gateway.app.load_keys()._key in (held[:32], held[32:])
    name = _turn(world, renew=False)
    kept_key = read_keys(world.path)[NAME]
    assert name_of(kept_key) == name and _key_in_force(world) == kept_key


def test_a_gateway_that_is_away_or_refuses_is_said_and_both_keys_stay(world, tmp_path):
    two = keys_file(tmp_path / "two.json", [NAME, "gw-away"])
    with pytest.raises(Problem, match="does not answer") as silent:
        rotate.rotate("gw-away", two, "127.0.0.1", world.port, wait_s=0.2)
    assert silent.value.code == NETWORK and len(read_keys(two)["gw-away"]) == 64
    with pytest.raises(Problem, match="does not answer"):
        rotate.rotate("gw-away", two, "127.0.0.1", world.port, wait_s=0.2)
    with pytest.raises(Problem, match="has no key of gw-b"):
        rotate.rotate("gw-b", two, "127.0.0.1", world.port)
    world.gateway.app.load_keys().order({"nonce": "11" * 32})
    with pytest.raises(Problem, match="a trial is under way") as refused:
        _turn(world)
    assert refused.value.code == FAILED and len(read_keys(world.path)[NAME]) == 64
    _turn(world)  # which first ends what was begun
    assert _key_in_force(world) == read_keys(world.path)[NAME]


def test_the_verb_says_which_key_is_in_force(mocker, tmp_path):
    mocker.patch.object(rotate, "rotate", return_value="3f0c9a1b")
    words = ["rotate", NAME, "--keys", str(tmp_path / "k"), "--broker", "localhost:1883"]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert json.loads(done.stdout) == {"gateway": NAME, "key": "3f0c9a1b"}
    with pytest.raises(Problem, match="is not HOST:PORT"):
        CliRunner().invoke(app, [*words[:-1], "localhost"], catch_exceptions=False)


# -- certificates ------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path):
    return ca.create(tmp_path / "ca", "Ville de X", PHRASE)


def _requested(authority):
    key = p256.make(bytes(range(1, 33)) * 2)
    request = p256.request(NAME, key, p256.public(key))
    return authority.sign_request(request, NAME)


def test_a_running_gateway_tries_another_certificate_for_its_own_key(world, authority, capsys):
    first = _requested(authority)
    uplink = world.gateway.app.config["uplink"]
    uplink |= {"ca": "ca.der", "cert": "certs/own.der"}
    words = ["renew", NAME, "--keys", str(world.path), "--broker", f"127.0.0.1:{world.port}"]
    words += ["--folder", str(authority.folder), "--authority", str(authority.folder / "ca.pem")]

    def run():
        done = CliRunner().invoke(
            app, [*words, "--json"], env={"ECLOR_PASSPHRASE": PHRASE}, catch_exceptions=False
        )
        return json.loads(done.stdout)

    with pytest.raises(Problem, match="refuses: the uplink has no TLS"):
        run()
    uplink["tls"] = True
    for _ in range(2):  # the second takes the place of the first, whose trial goes on
        told = run()
    given = {row.serial: row for row in ca.rows(authority.folder)[1:]}
    assert len(given) == 4 and {row.name for row in given.values()} == {NAME}
    device = world.gateway.app.certificates
    chosen = device.choose(uplink, 0)
    assert device.is_on_trial and chosen["ca"] != "ca.der"
    ground = world.gateway.app._ground
    kept = x509.load_der_x509_certificate(bytes(ground.slots[chosen["cert"].rpartition("/")[2]]))
    assert f"{kept.serial_number:x}" == told["serial"]
    assert kept.public_key() == first.public_key() and kept.serial_number != first.serial_number
    assert ca.is_issued_by(kept, authority.certificate)


def test_whose_certificates_are_revoked_gets_no_other(authority):
    with pytest.raises(Problem, match="has no good certificate"):
        authority.renew(NAME)
    first = _requested(authority)
    second = authority.renew(NAME)
    authority.revoke(f"{first.serial_number:x}")
    assert authority.renew(NAME).public_key() == second.public_key()
    authority.revoke(NAME)
    with pytest.raises(Problem, match="has no good certificate"):
        authority.renew(NAME)
    authority.make_server("localhost")
    with pytest.raises(Problem, match="has no good certificate"):
        authority.renew("localhost")


# -- the file ----------------------------------------------------------------------------------


def test_a_collector_follows_the_file_and_a_damaged_one_changes_nothing(tmp_path):
    path = tmp_path / "keys.json"
    old, new = bytes(32), bytes(range(32))
    write_keys(path, {"gw": old})
    seals = Seals(KeyFile(path))

    def is_believed(key):
        signed = Message("eclor/1/gw/rec", b"r" + Mac(key).tag(b"recgw", b"r"))
        return not seals.opened(signed).refused

    assert (is_believed(old), is_believed(new)) == (True, False)
    write_keys(path, {"gw": old + new})
    assert is_believed(old) and is_believed(new)
    for spoiled in ("{", '{"gw": "00"}', '{"gw": 7}'):
        path.write_text(spoiled)
        assert is_believed(old) and is_believed(new)
    path.unlink()
    assert is_believed(new)
    write_keys(path, {"gw": new})
    assert (is_believed(old), is_believed(new)) == (False, True)
    payload = seals.ack_bytes(Ack("gw", 1, 2))
    assert payload[8:] == Mac(new).tag(b"ackgw", payload[:8])
    write_keys(path, {})
    assert is_believed(old), "a gateway without a key is believed as it is"


def test_who_writes_the_file_leaves_no_half_of_it(tmp_path):
    path = tmp_path / "keys.json"
    write_keys(path, {"gw": bytes(32)})
    halt = threading.Event()

    def write():
        number = 0
        while not halt.is_set():
            number += 1
            write_keys(path, {"gw": following(bytes(32), "gw", number.to_bytes(32, "big"))})

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert len(read_keys(path)["gw"]) == 32
    finally:
        halt.set()
        writer.join()
