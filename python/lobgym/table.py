"""Results as columns: NumPy arrays of one length, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import polars  # type: ignore[import-not-found, unused-ignore]

__all__ = ["Table"]

#: Rows that a notebook shows.
_MOST_ROWS = 60


class Table(Mapping[str, npt.NDArray[Any]]):
    """A mapping from column names to arrays of shape (rows,).

    Both ``pandas.DataFrame(table)`` and ``polars.DataFrame(dict(table))`` take it as it is; :meth:`to_pandas` and :meth:`to_polars` are
    shorthands that import those packages when they are called, and not before.
    """

    def __init__(self, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        self._columns = dict(columns)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        try:
            return self._columns[name]
        except KeyError:
            raise KeyError(f"{name!r} is no column; legal: one of {', '.join(self._columns)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return next((len(column) for column in self._columns.values()), 0)

    def to_numpy(self) -> npt.NDArray[np.void]:
        """The table as one structured array of shape (rows,)."""
        dtype = np.dtype([(name, column.dtype) for name, column in self._columns.items()])
        array: npt.NDArray[np.void] = np.empty(self.rows, dtype)
        for name, column in self._columns.items():
            array[name] = column
        return array

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a ``pandas.DataFrame``; needs pandas."""
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas() needs pandas: pip install pandas") from error
        return pandas.DataFrame(self._columns)

    def to_polars(self) -> polars.DataFrame:
        """The table as a ``polars.DataFrame``; needs polars."""
        try:
            import polars
        except ImportError as error:
            raise ImportError("to_polars() needs polars: pip install polars") from error
        return polars.DataFrame(self._columns)

    def __repr__(self) -> str:
        return f"Table({self.rows} rows: {', '.join(self._columns)})"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self._columns)
        shown = min(self.rows, _MOST_ROWS)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_text(column[row]))}</td>" for column in self._columns.values()) + "</tr>"
            for row in range(shown)
        )
        rest = f"<p>{self.rows - shown} more rows</p>" if shown < self.rows else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
