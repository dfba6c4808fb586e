"""``/api/trading``, and what trading sessions hold and have traded."""

from __future__ import annotations

import subprocess
from typing import Annotated, Any

from fastapi import APIRouter, Query

from lobgym.serve import models
from lobgym.serve.answers import REFUSALS
from lobgym.serve.binary import find_binary
from lobgym.serve.errors import ServeError
from lobgym.serve.runs import settings_of, state_of
from lobgym.serve.service import Service
from lobgym.serve.views import session_rows
from lobgym.serve.works import RULES

__all__ = ["router"]

_KILL_PATIENCE = 20.0
_RULES_COST = 0.0005
#: Sessions that are looked through for the last fills.
_MOST_SESSIONS = 100


def _check_policy(service: Service, policy: str, feature_set: str | None) -> None:
    if policy in RULES:
        return
    state = state_of(service.places, policy)
    if state is None:
        legal = f"the id of a finished training, or one of {', '.join(RULES)}"
        raise ServeError("body.policy", policy, legal)
    if not state["complete"]:
        raise ServeError("body.policy", policy, "a training that is finished; this one has no policy yet", status=409)
    settings = settings_of(service.places, policy)
    if settings.get("name") != "trader":
        legal = f"a policy of the environment trader; this one is of {settings.get('name')}"
        raise ServeError("body.policy", policy, legal)
    features = settings.get("features")
    if feature_set is not None and features is not None and feature_set != features:
        raise ServeError("query.feature_set", feature_set, f"{features}, which {policy} was trained with")


def _source(service: Service, bars: str) -> tuple[str, str | None, bool]:
    """The name of the file, the collection that writes it, and whether it still does."""
    job = service.ledger.job(bars)
    if job is not None and job.kind == "collection":
        return job.request["store"], job.id, job.is_open
    if service.places.bars(bars) is None:
        names = service.places.bar_names()
        legal = f"the id of a collection, or the name of a file of bars: {', '.join(names) or 'there is none yet'}"
        raise ServeError("body.bars", bars, legal)
    writer = next((job for job in service.ledger.jobs("collection") if job.request["store"] == bars), None)
    return bars, None, writer is not None and writer.is_open


def router(service: Service) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api", tags=["trading"], responses=REFUSALS)

    @routes.post(
        "/trading/run_single_buy_ppo_trader", status_code=202, summary="Let a policy or a rule trade on bars, on paper"
    )
    def run(
        request: models.TradeRequest,
        feature_set: Annotated[
            models.FeatureSet | None, Query(description="that the policy was trained with; else whichever it was")
        ] = None,
    ) -> models.Trade:
        find_binary(service.settings)
        _check_policy(service, request.policy, feature_set)
        name, collection, grows = _source(service, request.bars)
        if collection is not None and not grows and service.places.bars(name) is None:
            raise ServeError(
                "body.bars", request.bars, "a collection with bars; this one ended without any", status=409
            )
        values = request.model_dump() | {
            "bars": name,
            "collection": collection,
            "follow": grows if request.follow is None else request.follow,
            "feature_set": feature_set,
        }
        if request.policy in RULES and request.transaction_cost is None:
            # Rules have learned no costs; for nothing, any of them looks good.
            values["transaction_cost"] = _RULES_COST
        return models.Trade(**service.views.status(service.jobs.submit("trading", values)))

    @routes.get("/trading/{id}", summary="How a trading session goes")
    def trading(id: models.TradingId) -> models.Trade:
        return models.Trade(**service.views.status(service.jobs.get(id, "trading"), 1))

    @routes.post("/trading/{id}/stop", status_code=202, summary="End a session after its bar; what it holds it keeps")
    def stop(id: models.TradingId) -> models.Trade:
        return models.Trade(**service.views.status(service.jobs.stop(id, kind="trading")))

    @routes.post("/trading/{id}/kill", status_code=202, summary="Kill switch: sell everything and end")
    def kill(id: models.TradingId) -> models.Trade:
        job = service.jobs.get(id, "trading")
        if not job.is_open:
            raise ServeError("the job is at its end already", job.state, "a job that is not", status=409)
        if job.state == "queued" and job.attempt == 0:
            # It holds nothing yet.
            return models.Trade(**service.views.status(service.jobs.stop(id, "killed before it began", kind="trading")))
        command = [find_binary(service.settings), "trade", "kill", str(service.places.inside("trades", id))]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_KILL_PATIENCE)
        except subprocess.TimeoutExpired:
            raise ServeError("the kill switch took too long", id, status=503, retry_after=1) from None
        if done.returncode != 0:
            reason = service.places.private((done.stderr.strip().splitlines() or ["it ended without a word"])[-1])
            raise ServeError("the kill switch failed", id, f"as it says: {reason}", status=503, retry_after=1)
        return models.Trade(**service.views.status(service.jobs.get(id)))

    @routes.get("/positions", summary="What trading sessions hold")
    def positions(limit: Annotated[int, Query(ge=1, le=1_000)] = 100) -> list[models.Position]:
        found = []
        for job in service.ledger.jobs("trading", limit=limit):
            row = next(session_rows(service.places.inside("trades", job.id)), None)
            if row is not None:
                names = ("time_ns", "position", "cash", "equity", "realised_profit")
                values = {name: row.get(name) for name in names} | {"price": row.get("close")}
                found.append(models.Position(trading=job.id, state=job.state, **values))
        return found

    @routes.get("/fills", summary="What was traded, the latest first")
    def fills(
        trading: Annotated[models.TradingId | None, Query(description="of this session; else of all")] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> list[models.Fill]:
        jobs = service.ledger.jobs("trading", limit=_MOST_SESSIONS)
        if trading is not None:
            jobs = [service.jobs.get(trading, "trading")]
        rows: list[dict[str, Any]] = []
        for job in jobs:
            count = 0
            for row in session_rows(service.places.inside("trades", job.id)):
                if row.get("traded"):
                    names = [name for name in models.Fill.model_fields if name != "trading"]
                    rows.append({"trading": job.id} | {name: row.get(name) for name in names})
                    count += 1
                    if count == limit:
                        break
        rows.sort(key=lambda row: -(row["time_ns"] or 0))
        return [models.Fill(**row) for row in rows[:limit]]

    return routes
