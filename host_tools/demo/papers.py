"""Certificates for the length of one demonstration: an authority, the broker, the gateway.

Not for a network: the keys lie in `.run/` unprotected, and are worth nothing once it ends.

    papers, own = make_papers(Path(".run/demo/papers"), "gw-tilleuls")
    Broker(supervisor, folder, papers=papers)       # lets in whoever shows a certificate of it
    image.build(path, configuration, files=own)     # /ca.der, /gw.der and /gw.key.der
"""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from host_tools.processes.broker import Papers

HOST = "localhost"  # the name in the broker's certificate, and what the gateway calls
_DAYS = 2


def make_papers(folder: Path, gateway: str) -> tuple[Papers, dict[str, bytes]]:
    """Return the broker's files, and the gateway's: path on its flash -> bytes, in DER."""
    folder.mkdir(parents=True)
    authority_key, broker_key, own_key = (generate_private_key(SECP256R1()) for _ in range(3))
    authority = _certificate("eclor demo", authority_key, "eclor demo", authority_key, True)
    broker = _certificate(HOST, broker_key, "eclor demo", authority_key)
    own = _certificate(gateway, own_key, "eclor demo", authority_key)
    papers = Papers(folder / "broker.pem", folder / "broker.key", folder / "ca.pem")
    papers.certificate.write_bytes(broker.public_bytes(Encoding.PEM))
    papers.key.touch(mode=0o600)
    papers.key.write_bytes(_key(broker_key, Encoding.PEM))
    papers.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    return papers, {
        "/ca.der": authority.public_bytes(Encoding.DER),
        "/gw.der": own.public_bytes(Encoding.DER),
        "/gw.key.der": _key(own_key, Encoding.DER),
    }


def _certificate(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: EllipticCurvePrivateKey,
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(is_authority, None), True)
    )
    if not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def _key(key: EllipticCurvePrivateKey, encoding: Encoding) -> bytes:
    return key.private_bytes(encoding, PrivateFormat.TraditionalOpenSSL, NoEncryption())
