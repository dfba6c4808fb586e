"""Who may ask: the token, the name that the server is called by, and pages of other sites in a browser on this machine."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from lobgym.serve.errors import ServeError
from lobgym.serve.settings import Settings, is_loopback

__all__ = ["OPEN_PATHS", "Gate"]

#: What tells nobody anything: whether the server lives, and what it can be asked.
OPEN_PATHS = frozenset({"/", "/api/health", "/docs", "/openapi.json"})


def _host_name(host: str) -> str | None:
    """Of a header ``Host``, without its port."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


class Gate:
    """Lets requests in, or not."""

    def __init__(self, settings: Settings) -> None:
        self._token = None if settings.token is None else settings.token.get_secret_value().encode()
        self._checks_host = settings.on_loopback
        self._names = {name.lower() for name in settings.allowed_hosts}

    def check(self, scope: Scope) -> bool:
        """Does nothing to those who may ask. Returns whether they have brought the token, where there is one.

        Raises:
            ServeError: For the others, with 401 or 403.

        """
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = _host_name(host)
        # A page of another site can let its own name mean 127.0.0.1; it then calls the server by that name (DNS rebinding).
        if self._checks_host and (name is None or not (is_loopback(name) or name in self._names)):
            raise ServeError("Host", host, "localhost, a loopback address or one of allowed_hosts", status=403)
        # Browsers send requests of other sites' pages without asking first, if they are simple ones: they say whose they are.
        origin = headers.get("origin")
        if origin is not None and urlsplit_netloc(origin) != host.lower():
            raise ServeError("Origin", origin, "this server's own pages, or no browser", status=403)
        if self._token is None:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # In one time for all wrong tokens; the header is latin-1, of which ASCII is legal.
        right = hmac.compare_digest(given.strip().encode("latin-1", "replace"), self._token)
        if scheme.lower() == "bearer" and right:
            return True
        if scope["path"] not in OPEN_PATHS:
            raise ServeError(
                "Authorization",
                legal="Bearer, and the server's token",
                status=401,
                headers={"WWW-Authenticate": 'Bearer realm="lobgym"'},
            )
        return False


def urlsplit_netloc(origin: str) -> str | None:
    """The host and port of an origin; ``None`` if it is none, as ``null`` is."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
