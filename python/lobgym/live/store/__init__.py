"""Where collected ticks and bars are kept: a DuckDB file, or a PostgreSQL server behind a URL."""

from __future__ import annotations

from pathlib import Path

from lobgym.live.errors import LiveError, StoreError
from lobgym.live.store.base import Batch, Store
from lobgym.live.store.schema import Bar, Incident, Tick

__all__ = ["Bar", "Batch", "Incident", "Store", "StoreError", "Tick", "open_store"]


def open_store(place: str, *, read_only: bool = False) -> Store:
    """Opens the store at a path or a URL ``postgresql://...``, and makes its tables unless it is only read.

    An older schema is brought to the present one, unless it is only read.

    Raises:
        StoreError: If it cannot be opened, or has a schema of another version.
        LiveError: If what it needs is not installed.

    """
    scheme = place.split("://", 1)[0] if "://" in place else ""
    try:
        if scheme in ("postgresql", "postgres"):
            from lobgym.live.store.postgres import PostgresStore

            return PostgresStore(place, read_only=read_only)
        if scheme:
            raise StoreError(f"store is {place!r}; legal: a path, or postgresql://...")
        from lobgym.live.store.duck import DuckStore

        return DuckStore(Path(place), read_only=read_only)
    except ImportError as error:
        raise LiveError(f"a store needs {error.name}: pip install 'lobgym[live]'") from error
