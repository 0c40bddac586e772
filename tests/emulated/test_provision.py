"""A board becomes a gateway: its secrets pass through this computer and stay nowhere on it."""

import base64
import json
import os
import queue
import subprocess
import sys
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from agent.mac import TAG_BYTES
from host_tools.cable import provision as library
from host_tools.cable.prompt import Prompt
from host_tools.packing import image
from host_tools.planning.site_file import read_site
from host_tools.problems import DEVICE, FAILED, INPUT, OK, USAGE, Problem
from host_tools.processes.broker import Broker, Papers
from host_tools.processes.supervisor import Supervisor
from host_tools.sim.bare_board import BareBoard
from host_tools.trust import ca, claim
from tests.emulated.bare import ROOT, deployed
from tests.typed import eclor

PHRASE = "une longue phrase de passe"
WIFI, PASSWORD = "CANARY-of-the-wifi", "CANARY-of-the-broker"
SECRETS = {"network.wifi.mairie.key": WIFI, "uplink.password": PASSWORD}
SITE = """
site: ecole
gateways:
  - name: gw-ecole
    board: host
    ports:
      - {name: rs485, uart: uart1, baud: 9600}
    meters:
      - {name: kitchen, port: rs485, protocol: modbus, map: sdm120, interval_s: 10,
         personal: true}
    network: {wifi: [{ssid: mairie}]}
    uplink: {host: localhost, port: PORT, tls: true, user: gw}
"""


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    return tmp_path_factory.getbasetemp()


@pytest.fixture
def board(tmp_path, scratch):
    with deployed(tmp_path / "board", scratch) as made:
        yield made


@pytest.fixture
def authority(tmp_path):
    return ca.create(tmp_path / "ca", "Ville de X", PHRASE)


def _site(tmp_path, port=18883, **changes):
    path = tmp_path / "site.yaml"
    text = SITE.replace("PORT", str(port))
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text)
    return path


def _papers(authority):
    office = claim.public_seal(authority.folder / "seal.pub")
    return library.Papers(
        ca.der(authority.certificate), sign=authority.sign_request, office=office
    )


def _provision(board, site, authority, **more):
    plan = library.plan_for(read_site(site), "")
    plan.secrets |= SECRETS
    return library.provision(
        board.port, plan, _papers(authority), claims=site.parent, start=False, **more
    )


def _secrets(board):
    """Return the secrets of the flash, by path, and the private key."""
    state = image.read(board.image, "/settings").decode().split(" ")[0]
    body = image.read(board.image, f"/secrets-{state}.json").rpartition(b"\n")[0]
    return json.loads(body), image.read(board.image, "/certs/own.key")


def test_a_board_becomes_a_gateway(board, tmp_path, authority):
    site = _site(tmp_path)
    result = _provision(board, site, authority)
    assert result.gateway == "gw-ecole" and result.serial == "02ec10000001"
    assert result.made == ["privacy.key", "own.key"] and not result.is_on_trial
    secrets, own = _secrets(board)
    assert secrets["network.wifi.mairie.key"] == WIFI and secrets["uplink.password"] == PASSWORD
    config = image.read(board.image, "/config-b.json") or image.read(board.image, "/config-a.json")
    tree = json.loads(config)
    for value in (*secrets.values(), own.hex()):
        assert value.encode() not in config
    given = image.read(board.image, "/" + tree["uplink"]["cert"])
    assert library.certificate_of(authority.folder / "ca.pem") == image.read(
        board.image, "/" + tree["uplink"]["ca"]
    )
    assert tree["uplink"]["cert_key"] == "certs/own.key" and len(given) > 200
    keys = tmp_path / "keys.json"
    claim.collect(authority.folder, PHRASE, [Path(result.claim_file)], keys)
    assert json.loads(keys.read_text()) == {"gw-ecole": secrets["uplink.key"]}

    again = _provision(board, site, authority)
    assert again.is_on_trial and again.made == [] and again.claim_file == ""
    assert again.claim == result.claim, "the same board, the same key"
    kept, key = _secrets(board)
    assert key == own and kept == secrets


def test_no_secret_is_left_on_the_laptop(board, tmp_path, authority):
    """Every file that this user may have written is looked through, whatever its encoding."""
    home, work, temporary = (tmp_path / name for name in ("home", "work", "temporary"))
    for folder in (home, work, temporary):
        folder.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "host_tools", "provision", "--port", board.port),
            *("--site", str(_site(work)), "--secrets", "-", "--ca", str(authority.folder)),
            *("--claims", str(work), "--json"),
        ],
        cwd=work,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "TMPDIR": str(temporary),
            "ECLOR_PASSPHRASE": PHRASE,
        },
        input=json.dumps(SECRETS),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == OK, done.stderr
    secrets, own = _secrets(board)
    assert set(SECRETS.values()) < set(secrets.values()) and len(secrets) == 4
    hidden = _forms([*(value.encode() for value in secrets.values()), own[7:39], PHRASE.encode()])
    places = [home, work, temporary, authority.folder]
    found = [path for place in places for path in place.rglob("*") if path.is_file()]
    assert work / "gw-ecole.claim.json" in found and len(found) >= 6
    for text in (done.stdout.encode(), done.stderr.encode(), *(p.read_bytes() for p in found)):
        for name, form in hidden:
            assert form not in text, name
    (home / "forgotten").write_text(base64.b64encode(WIFI.encode()).decode())
    assert any(form in (home / "forgotten").read_bytes() for _, form in hidden), "it can fail"


def _forms(values):
    """Return (what, bytes) of each value as it may lie in a file."""
    forms = []
    for value in values:
        raw = [value]
        if len(value) == 64:
            raw.append(bytes.fromhex(value.decode()))
        for each in raw:
            forms += [
                ("plain", each),
                ("hex", each.hex().encode()),
                ("base64", base64.b64encode(each).rstrip(b"=")[:-1]),
            ]
    return forms


@pytest.mark.parametrize("share", [0.1, 0.4, 0.6, 0.8, 0.9])
def test_a_cut_leaves_what_was_in_force_and_the_next_run_goes_on(
    board, tmp_path, authority, share
):
    site = _site(tmp_path)
    board.cut_after_bytes = 10**9
    _provision(board, site, authority)
    sent = 10**9 - board.cut_after_bytes
    before = _secrets(board)
    board.cut_after_bytes = int(sent * share)
    with pytest.raises(Problem) as error:
        _provision(board, _site(tmp_path, kitchen="cuisine"), authority)
    assert error.value.code == DEVICE and error.value.remedy and not board.running
    assert _secrets(board) == before
    board.plug_in()
    _provision(board, _site(tmp_path, kitchen="cuisine"), authority)
    assert _secrets(board) == before, "the same secrets, under new settings"


def test_an_unprovisioned_board_that_was_cut_is_provisioned_by_the_next_run(
    board, tmp_path, authority
):
    site = _site(tmp_path)
    board.cut_after_bytes = 3000
    with pytest.raises(Problem) as error:
        _provision(board, site, authority)
    assert not board.running, error.value.what
    board.plug_in()
    result = _provision(board, site, authority)
    secrets, _ = _secrets(board)
    keys = tmp_path / "keys.json"
    claim.collect(authority.folder, PHRASE, [Path(result.claim_file)], keys)
    assert json.loads(keys.read_text()) == {"gw-ecole": secrets["uplink.key"]}


def test_the_gateway_comes_on_line_under_the_authority(tmp_path, scratch, authority):
    certificate, key = authority.make_server("localhost")
    papers = Papers(tmp_path / "b.pem", tmp_path / "b.key", authority.folder / "ca.pem")
    papers.certificate.write_bytes(ca.pem(certificate))
    papers.key.write_bytes(key)
    with Supervisor() as supervisor, deployed(tmp_path / "board", scratch) as board:
        broker = Broker(supervisor, tmp_path / "broker", papers=papers)
        broker.start()
        site = _site(tmp_path, broker.mqtt_port, **{", user: gw": ""})
        plan = library.plan_for(read_site(site), "gw-ecole")
        births: queue.Queue[bytes] = queue.Queue()
        watcher = _watcher(authority, tmp_path, broker.mqtt_port, births)
        library.provision(board.port, plan, _papers(authority), claims=tmp_path)
        tree = json.loads(births.get(timeout=30)[:-TAG_BYTES])  # a MAC ends it
        watcher.disconnect()
        watcher.loop_stop()
        assert tree["gateway"] == "gw-ecole" and WIFI not in json.dumps(tree)


def _watcher(authority, folder, port, births):
    """Subscribe to births over TLS, with a certificate of the same authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "watcher")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    given = authority.sign_request(asked.public_bytes(serialization.Encoding.DER), "watcher")
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "w.pem").write_bytes(ca.pem(given))
    (folder / "w.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.tls_set(authority.folder / "ca.pem", folder / "w.pem", folder / "w.key")
    client.on_connect = lambda c, *_: c.subscribe("eclor/1/+/birth", 1)
    client.on_message = lambda _c, _u, message: births.put(message.payload)
    client.connect("localhost", port)
    client.loop_start()
    return client


def test_an_office_elsewhere_gives_the_certificate(board, tmp_path, authority):
    asked = library.request(board.port, "gw-ecole")
    given = authority.sign_request(asked, "gw-ecole")
    plan = library.plan_for(read_site(_site(tmp_path)), "gw-ecole")
    papers = library.Papers(ca.der(authority.certificate), ca.der(given))
    result = library.provision(board.port, plan, papers, claims=tmp_path, start=False)
    assert result.certificate and result.claim_file == "" and result.made == ["privacy.key"]
    stranger = ca.create(tmp_path / "other", "Other", PHRASE).make_server("gw-ecole")[0]
    papers.own = ca.der(stranger)
    with pytest.raises(Problem) as error:
        library.provision(board.port, plan, papers, claims=tmp_path)
    assert "for another key than this board's" in error.value.what and error.value.code == FAILED


def test_what_is_wrong_is_said_before_the_board_is_touched(board, tmp_path, authority):
    for changes, code, says in (
        ({"board: host": "board: hots"}, FAILED, "gateways[0].board"),
        ({"board: host": "board: esp32_poe"}, INPUT, "is for esp32_poe"),
        ({"map: sdm120": "map: sdm12"}, FAILED, "meters[0].map"),
    ):
        with pytest.raises(Problem) as error:
            _provision(board, _site(tmp_path, **changes), authority)
        assert error.value.code == code and says in error.value.what, error.value.what
    with pytest.raises(Problem) as error:
        library.plan_for(read_site(_site(tmp_path)), "gw-mairie")
    assert "no gateway gw-mairie" in error.value.what
    assert "settings" not in image.listing(board.image)


def test_a_board_without_firmware_is_said(tmp_path, authority):
    with BareBoard(tmp_path / "bare") as board:
        with pytest.raises(Problem) as error:
            _provision(board, _site(tmp_path), authority)
        assert error.value.code == DEVICE and "eclor deploy" in error.value.remedy
        with Prompt(board.port) as prompt:
            assert prompt.files() == {"boot.py": 75}


def test_from_the_command_line(board, tmp_path, authority):
    def typed(*words, phrase=PHRASE, text=""):
        home = str(tmp_path / "home")
        return eclor(*words, text=text, ECLOR_HOME=home, ECLOR_PASSPHRASE=phrase)

    site = _site(tmp_path)
    words = ["provision", "--site", str(site), "--port", board.port, "--claims", str(tmp_path)]
    assert typed(*words).returncode == USAGE, "nobody types the broker's password"
    done = typed(*words, "--secrets", "-", text="{}")
    assert done.returncode == INPUT and "eclor ca create" in done.stderr
    words += ["--ca", str(authority.folder), "--secrets", "-"]
    assert typed(*words, text="{}", phrase="another one").returncode == INPUT
    done = typed("--lang", "fr", *words, text=json.dumps(SECRETS))
    assert done.returncode == OK, done.stderr
    assert "est maintenant gw-ecole" in done.stdout and "eclor ca open" in done.stdout
