"""A certificate authority for tests: good certificates and every kind of bad one."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_NOW = datetime.datetime.now(datetime.UTC)


class Authority:
    """Signs certificates into a folder, PEM for servers and DER for the device."""

    def __init__(self, folder, name, days=(-1, 30)):
        self.folder = folder / name
        self.folder.mkdir()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        self.issue("ca", own=True, days=days)

    def issue(
        self, name, host="localhost", days=(-1, 30), own=False, self_signed=False, named=True
    ):
        key = self.key if own else ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
        subject = self.name if own else subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOW + datetime.timedelta(days=days[0]))
            .not_valid_after(_NOW + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(own, None), True)
        )
        if named:
            names = [x509.DNSName(host)]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        signed = builder.sign(key if self_signed else self.key, hashes.SHA256())
        for end, kind in (
            ("pem", serialization.Encoding.PEM),
            ("der", serialization.Encoding.DER),
        ):
            (self.folder / f"{name}.{end}").write_bytes(signed.public_bytes(kind))
            (self.folder / f"{name}.key.{end}").write_bytes(
                key.private_bytes(
                    kind,
                    serialization.PrivateFormat.TraditionalOpenSSL,
                    serialization.NoEncryption(),
                )
            )
        return self.folder / name
