"""``/api/jobs``: all kinds of jobs, how each came to its state, and its progress as it happens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse

from lobgym import __version__
from lobgym.serve import models
from lobgym.serve.answers import REFUSALS
from lobgym.serve.events import Streams
from lobgym.serve.ledger import Job, Kind, State
from lobgym.serve.logs import last_lines
from lobgym.serve.service import Service

__all__ = ["router"]

_STREAM = {
    200: {
        "description": "Events `state` and `progress` until the job ends, then `end`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The job has ended, and all of it was told up to `Last-Event-ID`."},
}


def router(service: Service, streams: Streams) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api", tags=["jobs"], responses=REFUSALS)

    @routes.get("/health", summary="Whether the server lives")
    async def health() -> models.Health:
        return models.Health(status="ok", version=__version__)

    @routes.get("/jobs", summary="Jobs, the latest first")
    def jobs(
        kind: Kind | None = None,
        state: State | None = None,
        before: Annotated[int | None, Query(ge=1, lt=2**63, description="only those numbered below this")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> models.Jobs:
        found = service.ledger.jobs(kind, None if state is None else (state,), before=before, limit=limit)
        return models.Jobs(jobs=[_status(service, job) for job in found])

    @routes.get("/jobs/{id}", summary="A job of any kind")
    def job(id: models.TrainingId) -> models.JobStatus:
        return _status(service, service.jobs.get(id))

    @routes.get("/jobs/{id}/log", summary="The last lines that its process wrote")
    def log(id: models.TrainingId, lines: Annotated[int, Query(ge=1, le=1_000)] = 50) -> models.Log:
        service.jobs.get(id)
        found = last_lines(service.places.log(id), lines)
        return models.Log(lines=[service.places.private(line) for line in found])

    @routes.get(
        "/jobs/{id}/events",
        summary="Progress as server-sent events",
        response_class=StreamingResponse,
        responses=_STREAM,  # type: ignore[arg-type]
    )
    async def events(
        id: models.TrainingId, last_event_id: Annotated[str | None, Header(max_length=64, examples=["3.120"])] = None
    ) -> Response:
        return await streams.open(id, last_event_id)

    return routes


def _status(service: Service, job: Job) -> models.JobStatus:
    status = service.views.status(job)
    return models.JobStatus(**{name: status[name] for name in models.JobStatus.model_fields})
