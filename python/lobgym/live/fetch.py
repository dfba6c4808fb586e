"""Texts over HTTP, from an address that may be anybody's: it cannot lead elsewhere, say too much, or take for ever."""

from __future__ import annotations

import email.utils
import io
import socket
import time
import urllib.request
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import IO, Any
from urllib.error import HTTPError

from websockets.exceptions import InvalidStatus

from lobgym.live.messages import MalformedMessage

__all__ = ["SECONDS", "fetch", "retry_after"]

#: Seconds for all of an answer.
SECONDS = 30.0
#: Seconds for a connection.
_CONNECT_SECONDS = 10.0
#: A snapshot is no longer than this.
_LONGEST = 32 << 20
#: Nobody is obeyed for longer: Binance's own bans take three days at most.
_LONGEST_PAUSE = 3 * 86_400.0


class _Until(io.RawIOBase):
    """Reads a socket up to a moment; the socket's own limit is for each time that something comes."""

    def __init__(self, source: socket.socket, end: float) -> None:
        self._socket, self._end = source, end
        # Keeps the socket open when the connection lets go of it.
        self._raw = source.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not all of it came in {SECONDS:g} s")
        self._socket.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    """An answer of which all, its head too, is there in time."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Until(sock, time.monotonic() + SECONDS))


class _Connection(HTTPConnection):
    response_class = _Answer


class _SecureConnection(HTTPSConnection):
    response_class = _Answer


class _Http(urllib.request.HTTPHandler):
    def http_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_Connection, request)


class _Https(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> HTTPResponse:
        return self.do_open(_SecureConnection, request)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Whoever may be asked was decided by the URL's host: its answer cannot name another."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        return None


def fetch(url: str) -> str:
    """The text at a URL.

    Raises:
        OSError: If nothing can be had from there in time; a redirection is an :class:`~urllib.error.HTTPError`.
        MalformedMessage: If it is too long, or no text.

    """
    # Not `install_opener`: others in this process may want their redirections.
    opener = urllib.request.build_opener(_Http, _Https, _NoRedirects)
    request = urllib.request.Request(url, headers={"User-Agent": "lobgym"})
    with opener.open(request, timeout=_CONNECT_SECONDS) as answer:
        body: bytes = answer.read(_LONGEST + 1)
    if len(body) > _LONGEST:
        raise MalformedMessage(f"is longer than {_LONGEST} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise MalformedMessage(f"is no text: {error}") from None


def retry_after(error: BaseException, now: float) -> float:
    """Seconds for which the server wants to be left alone; 0 if it says nothing of it. ``now``: seconds since 1970."""
    if isinstance(error, HTTPError):
        said = error.headers.get("Retry-After") or ""
    elif isinstance(error, InvalidStatus):
        said = next(iter(error.response.headers.get_all("Retry-After")), "")
    else:
        return 0.0
    said = said.strip()
    if said.isascii() and said.isdigit():
        seconds = float(said[:12])
    else:
        try:
            seconds = email.utils.parsedate_to_datetime(said).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), _LONGEST_PAUSE)
