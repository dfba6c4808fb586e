"""Refusals: one model for all of them, whoever refuses."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lobgym.serve.errors import ServeError
from lobgym.serve.limits import answer
from lobgym.serve.models import PATTERNS, Error

__all__ = ["REFUSALS", "handle_errors"]

_MEANINGS = {
    400: "The body is no JSON.",
    401: "The token is missing or wrong.",
    403: "Asked for by a name that is not this server's, or from another site's page.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "It is not in a state for that.",
    413: "The body is too long.",
    422: "A value is not legal.",
    429: "Too many requests or jobs; ask again after `Retry-After` seconds.",
    503: "It takes too long, or something is not installed.",
}

#: For OpenAPI.
REFUSALS: dict[int | str, dict[str, Any]] = {
    code: {"model": Error, "description": text} for code, text in _MEANINGS.items()
}
REFUSALS[429]["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}


def _invalid(error: RequestValidationError) -> ServeError:
    found = error.errors()
    if not found:
        return ServeError("the request", status=422)
    first = found[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "json_invalid":
        return ServeError("the body is no JSON", legal="a JSON object", status=400)
    if first["type"] == "missing":
        return ServeError(f"{where} is missing", legal="a value for it")
    if isinstance(first.get("input"), bytes):
        return ServeError("body", legal="a JSON object, with the header Content-Type: application/json")
    if first["type"] == "extra_forbidden":
        return ServeError(f"{where} is unknown", first.get("input"), "the names that /docs lists")
    legal = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    if first["type"] == "string_pattern_mismatch":
        pattern = first["ctx"]["pattern"]
        legal = PATTERNS.get(pattern, f"text that matches {pattern}")
    return ServeError(where, first.get("input"), legal)


def handle_errors(app: FastAPI) -> None:
    """Makes every refusal of an application one of the model."""

    @app.exception_handler(ServeError)
    async def refused(_request: Request, error: ServeError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        return answer(_invalid(error))

    @app.exception_handler(HTTPException)
    async def other(request: Request, error: HTTPException) -> JSONResponse:
        texts = {404: "there is no such address", 405: "the address has no such method"}
        text = texts.get(error.status_code, str(error.detail))
        value = f"{request.method} {request.url.path}" if error.status_code in texts else None
        legal = "what /docs lists" if error.status_code in texts else None
        return answer(ServeError(text, value, legal, status=error.status_code, headers=dict(error.headers or {})))

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> JSONResponse:
        # uvicorn writes the traceback to standard error.
        return answer(ServeError("a defect of the server; its log says more", status=500))
