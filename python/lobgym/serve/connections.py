"""What uvicorn is told, and what it does not do by itself: ending connections that never come to ask anything."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from starlette.types import ASGIApp
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

from lobgym.serve.settings import Settings

__all__ = ["configuration"]


def _protocol(settings: Settings) -> type[H11Protocol]:
    """HTTP/1.1 in which a request's head has to come in time, and connections are so many at most."""

    class Protocol(H11Protocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > settings.max_connections:
                transport.abort()
                return
            self._wait()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # Idle: the head is not whole. Between two requests it is uvicorn that waits, for a shorter time.
            if self.conn.their_state is not h11.IDLE:
                self._stop()
            elif self._patience is None:
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop()
            super().connection_lost(exc)

        def _wait(self) -> None:
            self._patience = self.loop.call_later(settings.body_seconds, self._give_up)

        def _stop(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

        def _give_up(self) -> None:
            self._patience = None
            if self.conn.their_state is h11.IDLE:
                self.transport.close()

    return Protocol


def configuration(app: ASGIApp, settings: Settings, **more: Any) -> Config:
    """How the application is served."""
    return Config(
        app,
        http=_protocol(settings),
        log_level="warning",
        access_log=False,
        server_header=False,
        # Whoever may say for whom they ask.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        lifespan="off",
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        ws="none",
        **more,
    )
