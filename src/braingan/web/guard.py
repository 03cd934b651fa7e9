"""Who may ask: only this machine's browser by this page's own address, unless a token is set; and bounded work.

A page of another origin can send requests to a local server (cross-site requests, DNS rebinding): so the Host must be
one that was bound, an Origin, if one is sent, must be the same, and where others than this machine can connect a token
is needed.
"""

import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request, Response
from fastapi.responses import PlainTextResponse, RedirectResponse

EVERYWHERE = "0.0.0.0", "::"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""On every answer; nothing is kept by the browser, so that its cache tells nothing either."""


@dataclass(frozen=True)
class Guard:
    """Lets requests through, or not."""

    host: str
    port: int
    token: str | None = None

    @property
    def hosts(self) -> set[str]:
        """What a Host header may say."""
        local = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) or self._everywhere else set()
        every = {socket.gethostname()} if self._everywhere else set()
        names = {self.host, f"[{self.host}]", *local, *every}
        return {name.lower() for of in names for name in (of, f"{of}:{self.port}")}

    @property
    def cookie(self) -> str:
        """The token's name; browsers send a host's cookies to all its ports."""
        return f"braingan_token_{self.port}"

    @property
    def _everywhere(self) -> bool:
        """Whether all of this machine's addresses are bound."""
        return self.host in EVERYWHERE

    def _is_own(self, host: str) -> bool:
        """Whether a Host header is this page's: a name or, where all addresses are bound, any address."""
        return host in self.hosts or (self._everywhere and is_address(host.removesuffix(f":{self.port}")))

    def refusal(self, request: Request) -> str:
        """Return why a request is refused; nothing if it is not."""
        host, origin = request.headers.get("host", "").lower(), request.headers.get("origin")
        if not self._is_own(host):
            return f"This page is not {host}'s."
        if origin is not None and origin.lower().partition("://")[2] != host:
            return f"Requests from {origin} are refused."
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return "Requests from other pages are refused."
        if self.token is not None and not self._knows(request):
            return "A token is needed: open the address that braingan serve printed."
        return ""

    def _knows(self, request: Request) -> bool:
        given = request.query_params.get("token") or request.cookies.get(self.cookie, "")
        return hmac.compare_digest(given.encode(), (self.token or "").encode())

    async def __call__(self, request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
        """Answer a request, or refuse it."""
        refused = self.refusal(request)
        response: Response
        if refused:
            response = PlainTextResponse(refused, 403)
        elif self.token is not None and "token" in request.query_params:  # out of the address, into a cookie
            response = RedirectResponse(str(request.url.remove_query_params("token")), 303)
            response.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        else:
            response = await call_next(request)
        response.headers.update(HEADERS)
        return response


def is_address(host: str) -> bool:
    """Whether it is a number, as no name that an attacker could point elsewhere is."""
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
