"""The other ways in: JetStream with several collectors, and HTTPS."""

import contextlib
import http.client
import queue
import ssl
import threading
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import OperationalError

from agent.mac import Mac
from agent.record import BLOCK, SCHEMA
from host_tools.collect import Collector, queries
from host_tools.collect.database import open_database
from host_tools.collect.endpoint import Endpoint, split_records
from host_tools.collect.jetstream import JetStream
from host_tools.collect.messages import Message
from host_tools.collect.store import Store
from host_tools.processes.broker import Broker
from host_tools.processes.supervisor import Supervisor
from tests.fakes.gateway_messages import JOURNAL, birth, readings, record, schema, wire

DEADLINE_S = 30


# -- JetStream -------------------------------------------------------------------------------


@pytest.fixture
def broker(tmp_path):
    with Supervisor() as supervisor:
        started = Broker(supervisor, tmp_path / "broker")
        started.start()
        yield started


@contextlib.contextmanager
def collector(broker, url, **options):
    address = [f"nats://127.0.0.1:{broker.client_port}"]
    made = Collector(
        "", 0, url, source=lambda change: JetStream(address, "collectors", change, **options)
    )
    with made:
        assert made.wait_for(lambda now: now.broker == "up", DEADLINE_S), made.progress
        yield made


@contextlib.contextmanager
def gateway(broker):
    acks: queue.Queue[int] = queue.Queue()
    ready = threading.Event()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, "gw-a")
    client.on_message = lambda _, __, found: acks.put(int.from_bytes(found.payload[4:8], "big"))
    client.on_subscribe = lambda *_: ready.set()
    client.connect("127.0.0.1", broker.mqtt_port)
    client.loop_start()
    client.subscribe("eclor/1/gw-a/ack", 1)
    assert ready.wait(DEADLINE_S)
    yield client, acks
    client.disconnect()
    client.loop_stop()


def send(client, *messages):
    for message in messages:
        client.publish(message.topic, message.payload, qos=1).wait_for_publish(DEADLINE_S)


def blocks(first, last):
    return [record(BLOCK, seq, readings(1, seq)) for seq in range(first, last + 1)]


def until(acks, seq):
    while acks.get(timeout=DEADLINE_S) < seq:
        pass


def test_collectors_share_a_stream_and_store_each_record_once(broker, database_url):
    with contextlib.ExitStack() as stack:
        collectors = [stack.enter_context(collector(broker, database_url)) for _ in range(3)]
        client, acks = stack.enter_context(gateway(broker))
        send(client, birth(), *blocks(1, 60))
        until(acks, 60)
        assert queries.stored(collectors[0].engine) == 60
    # Stopped, each has counted its last batch.
    assert sum(one.progress.records for one in collectors) == 60


def test_the_stream_keeps_what_comes_while_no_collector_is_there(broker, tmp_path):
    url = f"sqlite:///{tmp_path}/readings.db"
    with gateway(broker) as (client, acks):
        with collector(broker, url):
            send(client, birth(), *blocks(1, 2))
            until(acks, 2)
        send(client, *blocks(3, 9))
        broker.kill()
        broker.start()
        with collector(broker, url) as again:
            assert again.wait_for(lambda now: now.records >= 7, DEADLINE_S), again.progress
            assert queries.stored(again.engine) == 9


def test_a_restored_database_is_filled_again_from_the_stream(broker, tmp_path):
    begun = datetime.now(UTC) - timedelta(seconds=5)
    with gateway(broker) as (client, acks):
        with collector(broker, f"sqlite:///{tmp_path}/lost.db"):
            send(client, birth(), *blocks(1, 20))
            until(acks, 20)
        with collector(broker, f"sqlite:///{tmp_path}/copy.db", since=begun) as again:
            assert again.wait_for(lambda now: now.records == 20, DEADLINE_S), again.progress
            assert queries.stored(again.engine) == 20
            assert queries.declared(again.engine) == {}


def test_over_jetstream_only_what_a_keyed_gateway_signed_is_believed(broker, tmp_path):
    url = f"sqlite:///{tmp_path}/readings.db"

    def signed(message):
        leaf = message.topic.rsplit("/", 1)[1]
        tag = Mac(KEY).tag(f"{leaf}gw-a".encode(), message.payload)
        return Message(message.topic, message.payload + tag)

    with gateway(broker) as (client, acks), collector(broker, url, keys={"gw-a": KEY}) as one:
        send(client, birth(), *blocks(1, 2))
        assert one.wait_for(lambda now: now.quarantined == 3, DEADLINE_S), one.progress
        send(client, *(signed(message) for message in (birth(), *blocks(1, 2))))
        until(acks, 2)
        assert queries.stored(one.engine) == 2


def test_an_absent_cluster_is_waited_for(broker, tmp_path):
    broker.kill()
    made = Collector(
        "",
        0,
        f"sqlite:///{tmp_path}/readings.db",
        source=lambda change: JetStream(
            [f"nats://127.0.0.1:{broker.client_port}"], "collectors", change
        ),
    )
    with made:
        assert made.wait_for(lambda now: now.broker.startswith("no broker"), DEADLINE_S)
        broker.start()
        assert made.wait_for(lambda now: now.broker == "up", DEADLINE_S)


# -- HTTPS -----------------------------------------------------------------------------------


def body(*records):
    return b"".join(len(data).to_bytes(2, "big") + data for data in records)


def post(endpoint, path, data, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", endpoint.port, timeout=DEADLINE_S)
    connection.request("POST", path, data, headers)
    answer = connection.getresponse()
    found = answer.status, answer.read()
    connection.close()
    return found


@pytest.fixture
def store(database_url):
    engine = open_database(database_url)
    yield Store(engine)
    engine.dispose()


KEY = bytes(range(32))


@pytest.fixture
def endpoint(store):
    with Endpoint(store, ("127.0.0.1", 0), keys={"gw-k": KEY}) as started:
        yield started


def test_posted_records_are_stored_and_answered_with_the_acknowledgement(endpoint, store):
    data = body(wire(SCHEMA, 1, schema()), wire(BLOCK, 2, readings(2)))
    answer = (200, JOURNAL.to_bytes(4, "big") + (2).to_bytes(4, "big"))
    assert post(endpoint, "/v1/blocks/gw-a", data) == answer
    assert post(endpoint, "/v1/blocks/gw-a", data) == answer  # the answer was lost: once more
    assert queries.stored(store.engine) == 2


def test_a_birth_is_taken_and_a_keyed_gateway_gets_a_mac(endpoint):
    tree = birth(gateway="gw-k").payload.replace(b'"gateway": "gw-a"', b'"gateway": "gw-k"')
    assert post(endpoint, "/v1/birth/gw-k", tree)[0] == 204
    status, answer = post(endpoint, "/v1/blocks/gw-k", body(wire(BLOCK, 1, readings(1))))
    assert status == 200
    assert Mac(KEY).check(b"ackgw-k", answer, 0, len(answer))


def test_a_bundle_is_given_by_ranges_to_the_gateway_it_is_for(store, tmp_path):
    data = bytes(range(256)) * 20
    (tmp_path / "gw-k.bundle").write_bytes(data)
    (tmp_path / "gw-x.bundle").write_bytes(data)  # whose key is not known
    with Endpoint(store, ("127.0.0.1", 0), keys={"gw-k": KEY}, bundles=tmp_path) as started:
        for path, wanted, status, body_of in (
            ("/v1/bundle/gw-k", "bytes=0-959", 206, data[:960]),
            ("/v1/bundle/gw-k", "bytes=5000-7000", 206, data[5000:]),
            ("/v1/bundle/gw-k", "bytes=5120-5121", 416, None),
            ("/v1/bundle/gw-k", "bytes=9-8", 416, None),
            ("/v1/bundle/gw-k", "bytes=0-4096", 416, None),
            ("/v1/bundle/gw-k", "bytes=-5", 400, None),
            ("/v1/bundle/gw-k", "", 400, None),
            ("/v1/bundle/gw-x", "bytes=0-959", 204, b""),
            ("/v1/bundle/gw-a", "bytes=0-959", 204, b""),
            ("/v1/bundle/../gw-k", "bytes=0-959", 404, None),
            ("/v1/blocks/gw-k", "bytes=0-959", 404, None),
        ):
            connection = http.client.HTTPConnection("127.0.0.1", started.port, timeout=10)
            connection.request("GET", path, headers={"Range": wanted} if wanted else {})
            answer = connection.getresponse()
            got = answer.read()
            assert answer.status == status, (path, wanted)
            assert body_of is None or got == body_of
            if status == 206:
                first = int(wanted[6:].split("-")[0])
                piece = b"\x01" + data[52:56] + first.to_bytes(4, "big") + got
                piece += bytes.fromhex(answer.headers["Eclor-Tag"])
                assert Mac(KEY).check(b"chunkgw-k", piece, 0, len(piece))
                end = first + len(got) - 1
                assert answer.headers["Content-Range"] == f"bytes {first}-{end}/{len(data)}"
            connection.close()


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/v1/blocks/gw-a", b"", 204),
        ("/v1/blocks/gw-a", body(b"nonsense"), 204),  # quarantined
        ("/v1/blocks/gw-a", b"\0", 400),
        ("/v1/blocks/gw-a", b"\0\0", 400),
        ("/v1/blocks/gw-a", b"\0\x09short", 400),
        ("/v1/blocks/gw-a", b"\xff\xff" + bytes(65535), 400),
        ("/v1/blocks/gw-a", bytes(256 * 1024 + 1), 413),
        ("/v1/blocks/GW", b"", 404),
        ("/v2/blocks/gw-a", b"", 404),
    ],
)
def test_what_is_no_list_of_records_is_refused_whole(endpoint, store, path, data, status):
    assert post(endpoint, path, data)[0] == status
    assert queries.stored(store.engine) == 0


def test_a_database_that_refuses_is_said_and_nothing_is_acknowledged(endpoint, store, mocker):
    error = OperationalError("INSERT", {}, OSError("disk full"))
    mocker.patch.object(store, "take", side_effect=error)
    assert post(endpoint, "/v1/blocks/gw-a", body(wire(BLOCK, 1, readings(1))))[0] == 503


def test_records_are_split_at_their_lengths():
    assert split_records(body(b"a", b"bc")) == [b"a", b"bc"]
    assert split_records(b"") == []


def test_only_loopback_does_without_tls(store):
    with pytest.raises(ValueError, match="only loopback"):
        Endpoint(store, ("0.0.0.0", 0))


def certificates(folder):
    """Make a CA, a server and two gateways; return the folder of their PEM files."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.now(UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    for who in ("ca", "127.0.0.1", "gw-a", "gw-b"):
        key = ca_key if who == "ca" else ec.generate_private_key(ec.SECP256R1())
        host = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        made = (
            x509.CertificateBuilder(name("ca"), name(who), key.public_key(), 1 + len(who))
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(who == "ca", None), True)
            .add_extension(host, False)
            .sign(ca_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        pem = made.public_bytes(serialization.Encoding.PEM)
        (folder / f"{who}.pem").write_bytes(pem + private)


def test_over_tls_a_gateway_posts_only_under_its_own_name(store, tmp_path):
    certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "127.0.0.1.pem")
    tls.load_verify_locations(tmp_path / "ca.pem")
    tls.verify_mode = ssl.CERT_REQUIRED

    def status(who, path):
        context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
        if who:
            context.load_cert_chain(tmp_path / f"{who}.pem")
        connection = http.client.HTTPSConnection(
            "localhost", secured.port, timeout=DEADLINE_S, context=context
        )
        connection.request("POST", path, body(wire(BLOCK, 1, readings(1))))
        return connection.getresponse().status

    with Endpoint(store, ("127.0.0.1", 0), tls) as secured:
        assert status("gw-a", "/v1/blocks/gw-a") == 200
        assert status("gw-b", "/v1/blocks/gw-a") == 403
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            status(None, "/v1/blocks/gw-a")
