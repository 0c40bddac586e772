"""Local sinks: an HTTP server and a mail server that keep what they are given.

with HTTPSink() as sink: ...        # sink.url, sink.bodies, sink.status
with MailSink() as sink: ...        # sink.address, sink.mails
"""

import http.server
import json
import socketserver
import threading


class HTTPSink:
    """Keeps (path, body) of each POST; answers `status`, or what `answer(path, body)` returns."""

    def __init__(self, answer=None):
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 204
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, reply = sink.status, b""
                if answer:
                    status, reply = answer(self.path, self.headers, body)
                if status < 400:
                    sink.requests.append((self.path, dict(self.headers), body))
                self.send_response(status)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    @property
    def trees(self):
        """The bodies as JSON."""
        return [json.loads(body) for _, _, body in self.requests]

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class MailSink:
    """Speaks as much SMTP as a client needs (RFC 5321) and keeps each mail's bytes."""

    def __init__(self):
        self.mails: list[bytes] = []
        sink = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 sink\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    if verb == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        text = b"".join(iter(self.rfile.readline, b".\r\n"))
                        sink.mails.append(text)
                    self.wfile.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
                    if verb == b"QUIT":
                        return

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
