"""The HTTPS way in, for gateways whose network lets nothing else through.

    POST /v1/blocks/<gateway>     body: records as MQTT carries them, each after its length in
                                  two bytes, big-endian; answer: the acknowledgement's bytes
    POST /v1/birth/<gateway>      body: the birth's JSON; answer: the same
    GET /v1/bundle/<gateway>      with Range: bytes=A-B; answer 206: those bytes of the firmware
                                  that is offered to it, and Eclor-Tag: the MAC of that piece

Not MQTT (intake.py). The answer is sent after the commit and says what topic `ack` would say:
journal, highest number that is stored or declared, and the MAC of a keyed gateway.

| status | means |
| --- | --- |
| 200 | stored, as far as the answer says |
| 204 | nothing to acknowledge: no whole record of a known journal was in the body |
| 206, 416 | a range of a bundle; no such range |
| 400, 411, 413 | the body is no list of records; without length; too long: nothing was stored |
| 403, 404 | the client's certificate is of another gateway; no such address |
| 503 | the database refuses or too many posts at once: keep everything, come again |

    with Endpoint(store, ("0.0.0.0", 8443), context) as endpoint: ...
"""

import http.server
import re
import ssl
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DBAPIError

from agent.mac import Mac
from agent.record import OVERHEAD, PAYLOAD_MAX
from host_tools.collect.messages import JSON_MAX, Message
from host_tools.collect.seals import Seals
from host_tools.collect.store import Store

_PATH = re.compile(r"/v1/(blocks|birth)/([a-z0-9][a-z0-9_-]{0,63})")
_BUNDLE_PATH = re.compile(r"/v1/bundle/([a-z0-9][a-z0-9_-]{0,63})")
_RANGE = re.compile(r"bytes=([0-9]{1,8})-([0-9]{1,8})")
_PIECE_MAX = 4096
_BODY_MAX = 256 * 1024
_AT_ONCE = 16  # posts in work; more are asked to come again
_IDLE_S = 60


def split_records(body: bytes) -> list[bytes]:
    """Return the records of a body; ValueError when it is no list of them."""
    found = []
    at = 0
    while at < len(body):
        size = int.from_bytes(body[at : at + 2], "big")
        at += 2
        if not 0 < size <= PAYLOAD_MAX + OVERHEAD or at + size > len(body):
            raise ValueError(f"record of {size} bytes at {at}, {len(body) - at} are left")
        found.append(body[at : at + size])
        at += size
    return found


class Endpoint:
    """A small HTTPS server over a Store.

    address  where to listen; anything but loopback only with tls
    tls      a server context; with verify_mode CERT_REQUIRED a gateway may post only under the
             common name of its own certificate
    keys     per gateway the key of its acknowledgements
    bundles  a folder: NAME.bundle is offered to the gateway of that name; looked at each time
    """

    def __init__(
        self,
        store: Store,
        address: tuple[str, int],
        tls: ssl.SSLContext | None = None,
        keys: Mapping[str, bytes] | None = None,
        bundles: Path | None = None,
    ) -> None:
        if tls is None and not address[0].startswith("127."):
            raise ValueError(f"{address[0]} without TLS: only loopback may do without")
        self._store = store
        self._seals = Seals(keys)
        self._keys: Mapping[str, bytes] = {} if keys is None else keys
        self._bundles = bundles
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._named = tls is not None and tls.verify_mode == ssl.CERT_REQUIRED
        self._server = http.server.ThreadingHTTPServer(address, self._handler())
        self._server.daemon_threads = True
        if tls is not None:
            # The handshake happens in the connection's own thread, at its first read.
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="endpoint", daemon=True
        )

    def __enter__(self) -> "Endpoint":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version = "eclor"
            sys_version = ""
            timeout = _IDLE_S
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                status, answer = endpoint._post(self)
                self.send_response(status)
                self.send_header("Content-Type", "application/octet-stream")
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                if status == 503:
                    self.send_header("Retry-After", "30")
                if status >= 400:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                if status != 204:
                    self.wfile.write(answer)

            def do_GET(self) -> None:
                status, answer, fields = endpoint._get(self)
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(answer)))
                if status >= 400:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Say nothing: what was stored is in the database."""

        return Handler

    def _post(self, request: http.server.BaseHTTPRequestHandler) -> tuple[int, bytes]:
        match = _PATH.fullmatch(request.path)
        if not match:
            return 404, b"no such address\n"
        kind, gateway = match.groups()
        if self._named and _common_name(request.connection) != gateway:
            return 403, b"the certificate is of another gateway\n"
        length = request.headers.get("Content-Length", "")
        if not length.isdecimal():
            return 411, b"Content-Length is expected\n"
        if int(length) > (_BODY_MAX if kind == "blocks" else JSON_MAX):
            return 413, b"too long\n"
        if not self._room.acquire(blocking=False):
            return 503, b"too many posts at once\n"
        try:
            body = request.rfile.read(int(length))
            if len(body) != int(length):
                return 400, b"cut short\n"
            if kind == "birth":
                messages = [Message(f"eclor/1/{gateway}/birth", body)]
            else:
                records = split_records(body)
                messages = [Message(f"eclor/1/{gateway}/rec", data) for data in records]
            outcome = self._store.take(messages)
        except ValueError as error:
            return 400, f"{error}\n".encode()
        except DBAPIError:
            return 503, b"the database refuses\n"
        finally:
            self._room.release()
        mine = [ack for ack in outcome.acks if ack.gateway == gateway]
        return (200, self._seals.ack_bytes(mine[-1])) if mine else (204, b"")

    def _get(
        self, request: http.server.BaseHTTPRequestHandler
    ) -> tuple[int, bytes, dict[str, str]]:
        """Return a range of the bundle that a gateway is offered, with its tag."""
        match = _BUNDLE_PATH.fullmatch(request.path)
        if not match:
            return 404, b"no such address\n", {}
        gateway = match[1]
        if self._named and _common_name(request.connection) != gateway:
            return 403, b"the certificate is of another gateway\n", {}
        wanted = _RANGE.fullmatch(request.headers.get("Range", ""))
        if not wanted:
            return 400, b"Range: bytes=A-B is expected\n", {}
        first, last = int(wanted[1]), int(wanted[2])
        key = self._keys.get(gateway, b"")[:32]
        try:
            if self._bundles is None or not key:
                raise FileNotFoundError
            with (self._bundles / f"{gateway}.bundle").open("rb") as file:
                size = file.seek(0, 2)
                if not first <= last or first >= size or last - first >= _PIECE_MAX:
                    return 416, b"no such range\n", {"Content-Range": f"bytes */{size}"}
                file.seek(52)
                number = file.read(4)
                file.seek(first)
                data = file.read(last - first + 1)
        except OSError:
            return 204, b"", {}
        body = b"\x01" + number + first.to_bytes(4, "big") + data
        return (
            206,
            data,
            {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {first}-{first + len(data) - 1}/{size}",
                "Eclor-Tag": Mac(key).tag(b"chunk" + gateway.encode(), body).hex(),
            },
        )


def _common_name(connection: Any) -> str:
    """Return the common name of the client's certificate, "" without."""
    for part in connection.getpeercert().get("subject", ()):
        for name, value in part:
            if name == "commonName":
                return str(value)
    return ""
