"""A web server on this machine that misbehaves as it is told."""

import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """How one request is answered."""

    body: bytes = b""
    status: int = 200
    etag: str = ""
    ranges: bool = True
    """Whether it knows Range."""
    if_range: bool = True
    """Whether it knows If-Range."""
    shift: int = 0
    """Added to where a range starts."""
    lie: int = 0
    """Added to Content-Length."""
    no_length: bool = False
    cut: int | None = None
    """The line is cut after so many bytes of the body."""
    reset: bool = False
    """It is cut by a reset instead of an orderly close."""
    silent: threading.Event = field(default_factory=lambda: _set())
    """After the cut it waits for this before it closes."""


@dataclass
class Host:
    """The server as a test sees it."""

    url: str
    requests: list = field(default_factory=list)
    """Each request's path, Range and If-Range."""


@contextmanager
def served(*answers):
    """Answer the requests in turn, all further ones like the last."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            host.requests.append((self.path, self.headers["Range"], self.headers["If-Range"]))
            try:
                _answer(self, answers[min(len(host.requests), len(answers)) - 1])
            except OSError:
                self.close_connection = True  # the other side hung up, as it may

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    host = Host(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield host
    finally:
        for answer in answers:
            answer.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


def unused_url():
    """Return the address of a port on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{held.getsockname()[1]}"


def _answer(handler, answer):
    asked = re.fullmatch(r"bytes=(\d+)-", handler.headers["Range"] or "")
    unchanged = not answer.if_range or handler.headers["If-Range"] in (None, answer.etag)
    body, status, extra = answer.body, answer.status, {"ETag": answer.etag} if answer.etag else {}
    if asked and status == 200 and answer.ranges and unchanged:
        start = int(asked[1]) + answer.shift
        if start >= len(body):
            status, extra["Content-Range"], body = 416, f"bytes */{len(body)}", b""
        else:
            status, extra["Content-Range"] = 206, f"bytes {start}-{len(body) - 1}/{len(body)}"
            body = body[start:]
    handler.send_response(status)
    for name, value in extra.items():
        handler.send_header(name, value)
    if not answer.no_length:
        handler.send_header("Content-Length", str(len(body) + answer.lie))
    handler.end_headers()
    handler.wfile.write(body[: answer.cut])
    handler.wfile.flush()
    answer.silent.wait()
    if answer.reset and answer.cut is not None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.connection.close()


def _set():
    event = threading.Event()
    event.set()
    return event
