"""A certificate authority of one's own: it says which gateways and brokers belong together.

A folder that only its owner can read: ca.key (PKCS#8, locked by a passphrase), ca.pem and ca.der
(public, for brokers and gateways), issued/ (the certificates it gave), revoked.crl (those that are
good no more, for brokers), seal.key and seal.pub (for what only the office may read: claim.py). A
gateway makes its own key and hands over a request: no gateway's key is ever here (provision.py).

    authority = create(folder, "Ville de X", passphrase)
    authority = load(folder, passphrase)
    certificate = authority.sign_request(request_der, "gw-ecole")
    authority.der(certificate)
    authority.revoke("gw-ecole")                # all of its certificates, into revoked.crl

Not here: release keys of firmware (release.py), which are another matter and kept off line.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tools import home
from host_tools.problems import INPUT, Problem
from host_tools.trust import claim, locked_key
from host_tools.trust.secret_words import check_new

CA_YEARS = 30  # a gateway is alone for ten, and its authority must outlive it
YEARS = 12
_DAY = datetime.timedelta(days=1)
_YEAR = 365 * _DAY
REVOKED = "revoked.crl"
_MAKES_IT = "a gateway makes it: eclor provision"
_PEM = serialization.Encoding.PEM
_DER = serialization.Encoding.DER


@dataclass(frozen=True)
class Row:
    """One certificate: whose, for what, until when."""

    name: str
    role: str  # authority, gateway or server
    serial: str
    until: str  # 2038-11-28
    fingerprint: str  # SHA-256 of the DER, hexadecimal
    revoked: str = ""  # the day, "" while it is good


class Authority:
    """An opened authority. Make it by create() or load()."""

    def __init__(
        self, folder: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.folder = folder
        self.certificate = certificate
        self._key = key

    def sign_request(self, request: bytes, name: str, years: int = YEARS) -> x509.Certificate:
        """Return a gateway's certificate for a request in DER; it is kept in issued/.

        name: what the request must say of itself: nobody gets a certificate for another. A
        Problem otherwise, or when the request is not signed by its own key.
        """
        try:
            asked = x509.load_der_x509_csr(request)
        except ValueError:
            raise Problem("this is no request for a certificate", _MAKES_IT, code=INPUT) from None
        if not asked.is_signature_valid:
            raise Problem("the request is not signed by its own key", _MAKES_IT)
        names = asked.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if [n.value for n in names] != [name]:
            shown = ", ".join(str(n.value) for n in names) or "nobody"
            raise Problem(
                f"the request is of {shown}, not of {name}", "give the right one of both"
            )
        key = asked.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise Problem("the request is not for a key on P-256", _MAKES_IT, code=INPUT)
        certificate = self._issue(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, (), years * _YEAR)
        return self._kept(name, certificate)

    def renew(self, name: str, years: int = YEARS) -> x509.Certificate:
        """Return another certificate for the key that a gateway's last good one is of.

        The last one stays good: revoke it when the gateway has changed over. A Problem when the
        gateway has none of this authority.
        """
        good = [
            certificate
            for certificate in _issued(self.folder)
            for row in [_row(certificate, _role(certificate), _gone(self.folder))]
            if row.name == name and row.role == "gateway" and not row.revoked
        ]
        if not good:
            remedy = "eclor ca show lists them; eclor provision gives the first"
            raise Problem(f"{name} has no good certificate of this authority", remedy, code=INPUT)
        key = max(good, key=lambda each: each.not_valid_before_utc).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        certificate = self._issue(name, key, ExtendedKeyUsageOID.CLIENT_AUTH, (), years * _YEAR)
        return self._kept(name, certificate)

    def make_visitor(self, name: str) -> tuple[x509.Certificate, bytes]:
        """Return a client's certificate of one day and its key, PKCS#8 in PEM; nothing is kept."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._issue(name, key.public_key(), usage, (), _DAY), _plain(key)

    def make_server(
        self, name: str, other_names: Iterable[str] = (), years: int = YEARS
    ) -> tuple[x509.Certificate, bytes]:
        """Return a broker's certificate and its key, PKCS#8 in PEM, unlocked: as brokers read it.

        name, other_names: host names, or addresses; all of them are in it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [general_name(each) for each in (name, *other_names)]
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        certificate = self._issue(name, key.public_key(), usage, names, years * _YEAR)
        return self._kept(name, certificate), _plain(key)

    def revoke(self, name: str) -> list[Row]:
        """Declare certificates good no more; return them. Brokers are told by revoked.crl.

        name: whose, or the serial number of one. A Problem when there is none that is good.
        """
        rows_ = [row for row in rows(self.folder)[1:] if name in (row.name, row.serial)]
        wanted = [row for row in rows_ if not row.revoked]
        if not wanted:
            state = "is revoked already" if rows_ else "has no certificate of this authority"
            raise Problem(f"{name} {state}", "eclor ca show lists them", code=INPUT)
        # A list that runs out would shut out every gateway, so it holds as long as the authority.
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(_now() - _DAY)
            .next_update(self.certificate.not_valid_after_utc)
        )
        for old in _revoked(self.folder):
            builder = builder.add_revoked_certificate(old)
        for row in wanted:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(int(row.serial, 16))
                .revocation_date(_now())
                .build()
            )
        data = builder.sign(self._key, hashes.SHA256()).public_bytes(_PEM)
        fresh = self.folder / (REVOKED + ".new")
        fresh.write_bytes(data)
        fresh.replace(self.folder / REVOKED)
        serials = {row.serial for row in wanted}
        return [row for row in rows(self.folder) if row.serial in serials]

    def _issue(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        usage: x509.ObjectIdentifier,
        names: Iterable[x509.GeneralName],
        lasts: datetime.timedelta,
    ) -> x509.Certificate:
        mine = self.certificate.public_key()
        assert isinstance(mine, ec.EllipticCurvePublicKey)
        until = min(_now() + lasts, self.certificate.not_valid_after_utc)
        builder = (
            _builder(name, self.certificate.subject, key, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(mine), critical=False
            )
        )
        names = list(names)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def _kept(self, name: str, certificate: x509.Certificate) -> x509.Certificate:
        issued = self.folder / "issued"
        issued.mkdir(exist_ok=True)
        path = issued / f"{name}-{certificate.serial_number:x}.pem"
        path.write_bytes(certificate.public_bytes(_PEM))
        return certificate


def default_folder() -> Path:
    """Return where this computer's authority is, or would be."""
    return home.folder() / "ca"


def create(folder: Path, name: str, passphrase: str) -> Authority:
    """Make an authority in a folder. A Problem when there is one, or the passphrase is short."""
    check_new(passphrase)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    certificate = (
        _builder(name, subject, key.public_key(), _now() + CA_YEARS * _YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_USAGE, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    locked_key.write_key(folder / "ca.key", key, passphrase)
    claim.make_seal(folder, passphrase)
    (folder / "ca.pem").write_bytes(certificate.public_bytes(_PEM))
    (folder / "ca.der").write_bytes(certificate.public_bytes(_DER))
    return Authority(folder, certificate, key)


def load(folder: Path, passphrase: str) -> Authority:
    """Open an authority. A Problem when there is none, or the passphrase is another."""
    certificate = public(folder)
    key = locked_key.read_key(folder / "ca.key", passphrase, _NONE)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Problem(f"{folder / 'ca.key'} is no key on P-256", _NONE, code=INPUT)
    return Authority(folder, certificate, key)


def public(folder: Path) -> x509.Certificate:
    """Return the authority's certificate, which is no secret. A Problem when there is none."""
    try:
        return x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    except OSError as error:
        raise Problem(f"{folder / 'ca.pem'}: {error.strerror}", _NONE, code=INPUT) from None
    except ValueError:
        raise Problem(f"{folder / 'ca.pem'} is no certificate", _NONE, code=INPUT) from None


def rows(folder: Path) -> list[Row]:
    """Return the authority and all that it has issued."""
    gone = _gone(folder)
    issued = [_row(each, _role(each), gone) for each in _issued(folder)]
    return [_row(public(folder), "authority", {}), *issued]


def _issued(folder: Path) -> list[x509.Certificate]:
    return [
        x509.load_pem_x509_certificate(path.read_bytes())
        for path in sorted((folder / "issued").glob("*.pem"))
    ]


def _role(certificate: x509.Certificate) -> str:
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    return "server" if ExtendedKeyUsageOID.SERVER_AUTH in usage else "gateway"


def _gone(folder: Path) -> dict[int, str]:
    """Return the day of each revoked certificate, by its serial number."""
    return {
        revoked.serial_number: revoked.revocation_date_utc.date().isoformat()
        for revoked in _revoked(folder)
    }


def revoked_names(folder: Path) -> set[str]:
    """Return who has had certificates and has no good one left; nobody without an authority."""
    if not (folder / REVOKED).exists():
        return set()
    good = {row.name for row in rows(folder) if not row.revoked}
    return {row.name for row in rows(folder) if row.revoked} - good


def _revoked(folder: Path) -> list[x509.RevokedCertificate]:
    """Return what the list of revoked certificates names. A Problem when it is not whole."""
    path = folder / REVOKED
    if not path.exists():
        return []
    try:
        found = x509.load_pem_x509_crl(path.read_bytes())
    except ValueError:
        raise Problem(
            f"{path} is no list of an authority", "take a copy of it", code=INPUT
        ) from None
    return list(found)


def is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether a certificate was given by this authority."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate as gateways keep it."""
    return certificate.public_bytes(_DER)


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as brokers read it."""
    return certificate.public_bytes(_PEM)


def general_name(text: str) -> x509.GeneralName:
    """Return a host name or an address as it stands in a certificate."""
    import ipaddress

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


_NONE = "make one: eclor ca create"
_USAGE = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _builder(
    name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - _DAY)  # a laptop's clock may be fast
        .not_valid_after(until)
    )


def _name(text: str) -> x509.Name:
    if not 0 < len(text) <= 64:
        raise Problem(
            f"a name has 1 to 64 characters, not {len(text)}", "give another one", code=INPUT
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _plain(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _row(certificate: x509.Certificate, role: str, gone: Mapping[int, str]) -> Row:
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Row(
        str(name.value),
        role,
        f"{certificate.serial_number:x}",
        certificate.not_valid_after_utc.date().isoformat(),
        certificate.fingerprint(hashes.SHA256()).hex(),
        gone.get(certificate.serial_number, ""),
    )


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0)
