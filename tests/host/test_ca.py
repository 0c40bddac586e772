"""The authority of one's own: who gets a certificate, who may open a claim, what stays locked."""

import json
import os
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent import p256
from host_tools.problems import FAILED, INPUT, OK, USAGE, Problem
from host_tools.trust import ca, claim
from tests.typed import eclor

ROOT = Path(__file__).resolve().parent.parent.parent
PHRASE = "une longue phrase de passe"
KEY = p256.make(os.urandom(64))
WHO = claim.Identity("gw-ecole", "ecole", "rpi_pico_w", "e6614103e7174f2c", "82097dde58104139")


@pytest.fixture
def authority(tmp_path):
    return ca.create(tmp_path / "ca", "Ville de X", PHRASE)


def _asked(name="gw-ecole"):
    """A request as a gateway makes it."""
    return p256.request(name, KEY, p256.public(KEY))


def test_only_the_owner_can_read_what_is_locked(authority):
    secret = {"ca.key", "seal.key"}
    assert stat.S_IMODE(authority.folder.stat().st_mode) == 0o700
    for name in secret:
        path = authority.folder / name
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with pytest.raises((TypeError, ValueError)):
            serialization.load_pem_private_key(path.read_bytes(), None)
    with pytest.raises(Problem) as error:
        ca.load(authority.folder, "another phrase altogether")
    assert error.value.code == INPUT and "does not open" in error.value.what
    with pytest.raises(Problem) as error:
        ca.create(authority.folder, "Another", PHRASE)
    assert "never overwritten" in error.value.remedy
    with pytest.raises(Problem):
        ca.create(authority.folder.parent / "short", "X", "short")


def test_a_gateway_gets_a_certificate_for_its_own_request(authority):
    given = authority.sign_request(_asked(), "gw-ecole")
    assert ca.is_issued_by(given, authority.certificate)
    usage = given.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    point = given.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )
    assert point == p256.public(KEY)
    rows = ca.rows(authority.folder)
    assert [(row.name, row.role) for row in rows] == [
        ("Ville de X", "authority"),
        ("gw-ecole", "gateway"),
    ]
    assert rows[0].until > rows[1].until


@pytest.mark.parametrize(
    ("request_der", "name", "says"),
    [
        (_asked("gw-mairie"), "gw-ecole", "is of gw-mairie"),
        (_asked()[:-1] + bytes([_asked()[-1] ^ 1]), "gw-ecole", "not signed by its own key"),
        (b"hello", "gw-ecole", "no request"),
    ],
    ids=["another name", "forged", "rubble"],
)
def test_nobody_gets_a_certificate_for_another(authority, request_der, name, says):
    with pytest.raises(Problem) as error:
        authority.sign_request(request_der, name)
    assert says in error.value.what
    assert len(ca.rows(authority.folder)) == 1


def _handshake(server, client):
    """Let two contexts shake hands in memory."""
    ends = [ssl.MemoryBIO() for _ in range(4)]
    peers = [
        server.wrap_bio(ends[0], ends[1], server_side=True),
        client.wrap_bio(ends[2], ends[3], server_hostname="localhost"),
    ]
    done = [False, False]
    for _ in range(10):
        for i in (1, 0):
            try:
                peers[i].do_handshake()
                done[i] = True
            except ssl.SSLWantReadError:
                pass
        ends[0].write(ends[3].read())
        ends[2].write(ends[1].read())
    peers[1].write(b"hello")
    ends[0].write(ends[3].read())
    assert all(done) and peers[0].read() == b"hello"


def test_broker_and_gateway_know_each_other_and_strangers_are_refused(authority, tmp_path):
    certificate, key = authority.make_server("localhost", ["192.0.2.10"])
    (tmp_path / "broker.pem").write_bytes(ca.pem(certificate))
    (tmp_path / "broker.key").write_bytes(key)
    stranger = ca.create(tmp_path / "other", "Other", PHRASE)
    contexts = []
    for who, folder in (("gw-ecole", authority), ("gw-other", stranger)):
        own = ec.derive_private_key(int.from_bytes(KEY, "big"), ec.SECP256R1())
        made = folder.sign_request(_asked(who), who)
        (tmp_path / f"{who}.pem").write_bytes(ca.pem(made))
        (tmp_path / f"{who}.key").write_bytes(
            own.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        client = ssl.create_default_context(cafile=str(authority.folder / "ca.pem"))
        client.load_cert_chain(tmp_path / f"{who}.pem", tmp_path / f"{who}.key")
        contexts.append(client)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "broker.pem", tmp_path / "broker.key")
    server.load_verify_locations(authority.folder / "ca.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    _handshake(server, contexts[0])
    with pytest.raises(ssl.SSLError):
        _handshake(server, contexts[1])


def test_a_claim_opens_at_its_office_only(authority, tmp_path):
    key = os.urandom(32)
    file = tmp_path / "gw-ecole.claim.json"
    file.write_bytes(claim.make(WHO, key, claim.public_seal(authority.folder / "seal.pub")))
    assert key.hex() not in file.read_text()
    keys = tmp_path / "keys.json"
    keys.write_text('{"gw-old": "' + "00" * 32 + '"}')
    assert claim.collect(authority.folder, PHRASE, [file], keys) == ["gw-ecole"]
    assert json.loads(keys.read_text()) == {"gw-old": "00" * 32, "gw-ecole": key.hex()}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    # Another key by cable is on trial there: until that is over both are believed.
    newer = os.urandom(32)
    file.write_bytes(claim.make(WHO, newer, claim.public_seal(authority.folder / "seal.pub")))
    for _ in range(2):
        claim.collect(authority.folder, PHRASE, [file], keys)
        assert json.loads(keys.read_text())["gw-ecole"] == (newer + key).hex()
    other = ca.create(tmp_path / "other", "Other", PHRASE)
    with pytest.raises(Problem) as error:
        claim.collect(other.folder, PHRASE, [file], keys)
    assert "another office" in error.value.what and error.value.code == FAILED
    for field in ("gateway", "serial"):
        tree = json.loads(file.read_text())
        tree[field] = "gw-mairie"
        moved = tmp_path / "moved.json"
        moved.write_text(json.dumps(tree))
        with pytest.raises(Problem):
            claim.collect(authority.folder, PHRASE, [moved], keys)
    assert len(json.loads(keys.read_text())) == 2, "all of them or none"
    with pytest.raises(Problem) as error:
        claim.collect(authority.folder, PHRASE, [keys], keys)
    assert "is no claim" in error.value.what


def _eclor(home, *words, phrase=PHRASE):
    return eclor(*words, ECLOR_HOME=str(home), ECLOR_PASSPHRASE=phrase)


def test_from_the_command_line(tmp_path):
    assert _eclor(tmp_path, "ca", "create", "X", phrase="").returncode == USAGE
    done = _eclor(tmp_path, "--lang", "fr", "ca", "create", "Ville de X")
    assert done.returncode == OK and "gardez-en une copie" in done.stdout
    request = tmp_path / "gw.csr"
    request.write_bytes(_asked())
    out = ("--out", str(tmp_path))
    done = _eclor(tmp_path, "ca", "issue", "gw-ecole", "--request", str(request), *out)
    assert done.returncode == OK
    given = x509.load_der_x509_certificate((tmp_path / "gw-ecole.der").read_bytes())
    done = _eclor(tmp_path, "ca", "issue", "broker.example.org", "--also", "192.0.2.10", *out)
    assert done.returncode == OK
    assert stat.S_IMODE((tmp_path / "broker.example.org.key").stat().st_mode) == 0o600
    told = [
        json.loads(line)
        for line in _eclor(tmp_path, "ca", "show", "--json").stdout.split("\n")[:-1]
    ]
    assert [row["role"] for row in told] == ["authority", "server", "gateway"]
    assert given.fingerprint(hashes.SHA256()).hex() in [row["fingerprint"] for row in told]
