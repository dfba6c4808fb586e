"""``/api/training``, and the runs and policies that trainings leave."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Query

from lobgym.serve import models
from lobgym.serve.answers import REFUSALS
from lobgym.serve.binary import find_binary, find_presets, preset_names
from lobgym.serve.errors import ServeError
from lobgym.serve.runs import settings_of, state_of
from lobgym.serve.service import Service
from lobgym.serve.works import RULES

__all__ = ["router"]


def _submit(service: Service, request: models.TrainingRequest) -> models.Training:
    find_binary(service.settings)
    names = preset_names(find_presets(service.settings))
    if request.preset not in names:
        raise ServeError("body.preset", request.preset, f"one of {', '.join(names) or 'none: see the setting presets'}")
    if request.bars is not None and service.places.bars(request.bars) is None:
        names = service.places.bar_names()
        raise ServeError(
            "body.bars", request.bars, f"the name of a file of bars: {', '.join(names) or 'there is none yet'}"
        )
    job = service.jobs.submit("training", request.model_dump())
    return models.Training(**service.views.status(job))


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api", tags=["training"], responses=REFUSALS)

    @routes.post("/training/run_ppo_tcn_futures", status_code=202, summary="Train PPO with a TCN to trade futures")
    def ppo_tcn_futures(request: models.PpoTcnFuturesRequest) -> models.Training:
        return _submit(service, request.general())

    @routes.post("/training/run", status_code=202, summary="Train what comes with lobgym")
    def run(request: models.TrainingRequest) -> models.Training:
        return _submit(service, request)

    @routes.get("/training/{id}", summary="State, progress and curve of a training")
    def training(id: models.TrainingId, points: Annotated[int, Query(ge=0, le=5_000)] = 200) -> models.Training:
        return models.Training(**service.views.status(service.jobs.get(id, "training"), points))

    @routes.post("/training/{id}/stop", status_code=202, summary="Stop a training; it writes a checkpoint first")
    def stop(id: models.TrainingId) -> models.Training:
        return models.Training(**service.views.status(service.jobs.stop(id, kind="training")))

    @routes.get("/runs", summary="The directories of trainings")
    def runs(
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        complete: Annotated[bool | None, Query(description="only those that are, or are not")] = None,
    ) -> list[models.Run]:
        found = []
        for name in sorted(service.places.names("runs"), key=_newest_first):
            state = state_of(service.places, name)
            if state is not None and complete in (None, state["complete"]):
                found.append(models.Run(**state))
                if len(found) == limit:
                    break
        return found

    @routes.get("/policies", summary="Who can trade: finished trainings of the trader, and rules")
    def policies() -> list[models.Policy]:
        found = [models.Policy(id=rule, kind="rule", environment="trader", features=None) for rule in RULES]
        for name in sorted(service.places.names("runs"), key=_newest_first):
            state = state_of(service.places, name)
            if state is not None and state["complete"]:
                settings = settings_of(service.places, name)
                found.append(
                    models.Policy(
                        id=name, kind="trained", environment=settings.get("name"), features=settings.get("features")
                    )
                )
        return found

    return routes


def _newest_first(name: str) -> tuple[Any, ...]:
    number = re.fullmatch(r"training-([0-9]+)", name)
    return (0, -int(number[1])) if number else (1, name)
