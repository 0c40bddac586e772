"""A broker's address, and what it is shown where it wants TLS: for verbs that listen or order.

    host, port = host_and_port("broker.example:8883")
    context = context_of(Path("ca.pem"), Path("me.pem"))             # papers from files
    context = day_context(Path("ca"), passphrase, permissions.OFFICE)  # of one day, made now

A key that is made for a day is gone from this computer as soon as it is loaded. Not here: what
such a name may do at the broker (permissions.py).
"""

import ssl
import tempfile
from pathlib import Path

from host_tools.problems import INPUT, USAGE, Problem
from host_tools.trust import ca
from host_tools.trust.secret_words import passphrase, write_secret


def host_and_port(text: str) -> tuple[str, int]:
    """Return the parts of HOST:PORT, without a host this computer's; a Problem for no port."""
    host, _, number = text.rpartition(":")
    if not number.isdecimal():
        raise Problem(f"{text!r} is not HOST:PORT", "--broker HOST:1883", code=USAGE)
    return host or "127.0.0.1", int(number)


def context_of(authority: Path, papers: Path | None) -> ssl.SSLContext:
    """Return what TLS needs, from files in PEM.

    authority  who vouches for the broker
    papers     our certificate, its key beside it as .key; None: we show none

    A Problem that names the file which cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        where = authority
        context.load_verify_locations(str(authority))
        if papers:
            where = papers
            context.load_cert_chain(str(papers), str(papers.with_suffix(".key")))
    except (OSError, ssl.SSLError) as error:
        raise Problem(
            f"{where}: {error}", "give files in PEM: eclor ca issue makes them", code=INPUT
        ) from None
    return context


def day_context(folder: Path, words: str, name: str) -> ssl.SSLContext:
    """Return the same with a certificate of one day, by the authority in this folder.

    words  its passphrase
    name   who the broker sees: one of permissions.py
    """
    authority = ca.load(folder, words)
    certificate, key = authority.make_visitor(name)
    with tempfile.TemporaryDirectory() as made:
        paper = Path(made) / "own.pem"
        paper.write_bytes(ca.pem(certificate))
        write_secret(paper.with_suffix(".key"), key)
        return context_of(folder / "ca.pem", paper)


def context_for(
    name: str, is_tls: bool, authority: Path | None, papers: Path | None
) -> ssl.SSLContext | None:
    """Return what --tls, --broker-ca and --broker-papers of a verb ask for; None: no TLS."""
    if authority:
        return context_of(authority, papers)
    return day_context(ca.default_folder(), passphrase(), name) if is_tls else None
