"""The application: routes, refusals and limits around a service."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute

from lobgym import __version__
from lobgym.serve import routes_data, routes_jobs, routes_trading, routes_training
from lobgym.serve.answers import handle_errors
from lobgym.serve.events import Streams
from lobgym.serve.limits import Limits
from lobgym.serve.page import html
from lobgym.serve.service import Service

__all__ = ["create_app"]

_DESCRIPTION = (
    "Collects market data, trains and trades on paper, in processes of their own. Times of jobs are seconds since 1970, those of markets "
    "nanoseconds. Every refusal says what is wrong, its value and what is legal."
)


def _operation(route: APIRoute) -> str:
    return "_".join([*(str(tag) for tag in route.tags), route.name])


def create_app(service: Service, streams: Streams | None = None) -> FastAPI:
    """The application of a service, which whoever calls this starts and closes."""
    app = FastAPI(
        title="lobgym",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation,
        # Else an address with a slash too many is answered with a redirection to a host that the client names.
        redirect_slashes=False,
    )
    for router in (
        routes_data.router(service),
        routes_training.router(service),
        routes_trading.router(service),
        routes_jobs.router(service, streams or Streams(service)),
    ):
        app.include_router(router)
    handle_errors(app)
    has_token = service.settings.token is not None
    pages: list[str] = []

    @app.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        if not pages:
            pages.append(html(app.openapi()))
        # It needs nothing from anywhere, and may load nothing.
        policy = "default-src 'none'; style-src 'unsafe-inline'"
        return HTMLResponse(pages[0], headers={"Content-Security-Policy": policy})

    @app.get("/", include_in_schema=False)
    def root() -> RedirectResponse:
        return RedirectResponse("/docs")

    described = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = described()
            if has_token:
                schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
                schema["security"] = [{"token": []}]
                schema["paths"]["/api/health"]["get"]["security"] = []
        return described()

    app.openapi = openapi  # type: ignore[method-assign]
    app.add_middleware(Limits, settings=service.settings)
    return app
