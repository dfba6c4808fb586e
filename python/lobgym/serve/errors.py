"""What a request, or a setting, may be told: what is wrong, its value, and what is legal."""

from __future__ import annotations

import json

__all__ = ["ServeError"]

#: Of a value that is told back.
_LONGEST = 200


class ServeError(Exception):
    """Something that whoever asked can act on; an answer with ``status`` over HTTP."""

    def __init__(
        self,
        error: str,
        value: object = None,
        legal: str | None = None,
        *,
        status: int = 422,
        retry_after: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.value = None if value is None else shown(value)
        self.legal = legal
        self.status = status
        self.retry_after = retry_after
        self.more_headers = headers or {}

    def body(self) -> dict[str, str | None]:
        """As it is sent."""
        return {"error": self.error, "value": self.value, "legal": self.legal}

    @property
    def headers(self) -> dict[str, str]:
        """Those that go with the answer."""
        return self.more_headers | ({} if self.retry_after is None else {"Retry-After": str(self.retry_after)})

    def __str__(self) -> str:
        value = "" if self.value is None else f" is {self.value}" if " " not in self.error else f" ({self.value})"
        return f"{self.error}{value}{f'; legal: {self.legal}' if self.legal else ''}"


def shown(value: object) -> str:
    """A value in so many characters at most, in ASCII whatever was sent."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, RecursionError):
        text = "something that cannot be shown"
    text = text.encode("ascii", "backslashreplace").decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
