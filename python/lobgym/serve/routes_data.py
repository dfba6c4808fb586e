"""``/api/data``: collections and their bars."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Query

from lobgym.live.errors import LiveError
from lobgym.live.settings import VENUES, parse_interval
from lobgym.serve import models
from lobgym.serve.answers import REFUSALS
from lobgym.serve.errors import ServeError
from lobgym.serve.ledger import OPEN
from lobgym.serve.service import Service
from lobgym.serve.settings import is_loopback
from lobgym.serve.views import bar_rows

__all__ = ["router"]

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LATEST = 2**63 - 1


def _instant(text: str | None, name: str) -> int | None:
    """Nanoseconds since 1970, of themselves or of a time as ISO 8601 has it; UTC unless it says otherwise."""
    if text is None:
        return None
    if text.isascii() and text.isdigit() and int(text) <= _LATEST:
        return int(text)
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z") + ("+00:00" if text.endswith("Z") else ""))
        since = (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)) - _EPOCH
    except (ValueError, OverflowError):
        raise ServeError(f"query.{name}", text, "ns since 1970, or a time as 2024-08-08T23:54:15") from None
    return since // timedelta(microseconds=1) * 1000


def _check_feed(service: Service, request: models.CollectionRequest) -> None:
    """Only the venue's own hosts, this machine and those of the settings: the server is nobody's way into a network."""
    try:
        parse_interval(request.interval)
    except LiveError:
        raise ServeError("body.interval", request.interval, "a number and ms, s, m or h, 24h at most, as 5s") from None
    if request.url is None:
        return
    host = (urlsplit(request.url).hostname or "").lower()
    venue = urlsplit(VENUES[request.venue].url).hostname or ""
    allowed = {venue, *service.settings.allowed_feed_hosts}
    if not (host in allowed or is_loopback(host)):
        legal = f"ws:// or wss:// at {', '.join(sorted(allowed))}, this machine, or a host of allowed_feed_hosts"
        raise ServeError("body.url", request.url, legal)


def _check_store(service: Service, name: str, request: dict[str, Any]) -> None:
    """A store has one kind of bars, from one source, and one process that writes it. Who wrote no bars, or whose file is gone, has no say."""
    for other in service.ledger.jobs("collection"):
        if other.request["store"] == name:
            if other.is_open:
                raise ServeError("body.store", name, f"a store that no collection writes; {other.id} does", status=409)
            kinds = ("venue", "symbol", "interval", "url")
            if any(other.request[kind] != request[kind] for kind in kinds) and service.collected.wrote(other):
                has = ", ".join(other.request[kind] or "the venue's own feed" for kind in kinds)
                raise ServeError("body.store", name, f"another name: that one has {has}", status=409)


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api/data", tags=["data"], responses=REFUSALS)

    @routes.post("/start_data_collection", status_code=202, summary="Collect an exchange's messages and bars")
    def start(request: models.CollectionRequest) -> models.Collection:
        _check_feed(service, request)
        values = request.model_dump() | {"store": request.name}
        service.places.store(request.name)
        service.places.inside("bars", request.name, ".csv")
        with service.starting:
            _check_store(service, request.name, values)
            job = service.jobs.submit("collection", values)
        return models.Collection(**service.views.status(job))

    @routes.get("", summary="Collections, stores, and the latest bars of one")
    def data(
        name: Annotated[models.Name | None, Query(description="of a store; else the latest that fits the rest")] = None,
        venue: Annotated[str | None, Query(max_length=32, examples=["binance"])] = None,
        symbol: Annotated[str | None, Query(max_length=40, examples=["BTCUSDT"])] = None,
        start: Annotated[str | None, Query(alias="from", max_length=40, examples=["2024-08-08T23:54:15"])] = None,
        end: Annotated[str | None, Query(alias="to", max_length=40, description="not included")] = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    ) -> models.Data:
        start_ns, end_ns = _instant(start, "from"), _instant(end, "to")
        collections = service.ledger.jobs("collection")
        stores = _stores(service)
        if name is None and (venue or symbol):
            fits = (
                job.request["store"]
                for job in collections
                if venue in (None, job.request["venue"]) and symbol in (None, job.request["symbol"])
            )
            name = next(fits, None)
        elif name is not None and name not in {store.name for store in stores}:
            raise ServeError("there is no such store", name, "a name that GET /api/data lists", status=404)
        path = None if name is None else service.places.bars(name)
        return models.Data(
            jobs=[models.JobStatus(**_common(service.views.status(job))) for job in collections[:limit]],
            stores=stores,
            name=name,
            bars=[] if path is None else bar_rows(path, limit, start_ns, end_ns),
        )

    @routes.post("/stop", status_code=202, summary="Stop a collection, or all")
    def stop(request: models.StopRequest) -> models.Jobs:
        if request.id is not None:
            stopped = [service.jobs.stop(request.id, kind="collection")]
        else:
            stopped = []
            for job in service.ledger.jobs("collection", OPEN):
                try:
                    stopped.append(service.jobs.stop(job.id))
                except ServeError as error:
                    # It ended by itself meanwhile.
                    if error.status != 409:
                        raise
        return models.Jobs(jobs=[models.JobStatus(**_common(service.views.status(job))) for job in stopped])

    @routes.get("/{id}", summary="A collection and its latest bars")
    def one(id: models.CollectionId, bars: Annotated[int, Query(ge=0, le=10_000)] = 20) -> models.Collection:
        return models.Collection(**service.views.status(service.jobs.get(id, "collection"), bars))

    return routes


def _common(status: dict[str, Any]) -> dict[str, Any]:
    return {name: status[name] for name in models.JobStatus.model_fields}


def _stores(service: Service) -> list[models.Bars]:
    writers: dict[str, list[str]] = {}
    for job in service.ledger.jobs("collection"):
        writers.setdefault(job.request["store"], []).append(job.id)
    names = sorted({*writers, *service.places.bar_names(), *service.places.names("stores", (".duckdb",))})
    return [
        models.Bars(
            name=name,
            bars_bytes=_size(service.places.bars, name),
            store_bytes=_size(service.places.store, name),
            collections=writers.get(name, []),
        )
        for name in names
    ]


def _size(find: Callable[[str], Path | None], name: str) -> int | None:
    """Of a file, if there is one that is the server's."""
    try:
        path = find(name)
        return None if path is None else path.stat().st_size
    except (OSError, ServeError):
        return None
