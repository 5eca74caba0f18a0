"""Columns that grow and shrink by rows: an array each, with room behind its end.

Appending a row costs O(1) amortised, because room doubles; removing one moves the last row into
its place. ``values`` is a view of the part in use: it must not be held across a change of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

Kind = TypeVar("Kind")
Scalar = TypeVar("Scalar", np.float64, np.float32, np.int64, np.int32, np.bool_)

LEAST_ROOM = 16  # rows


class Column(Generic[Scalar]):
    """One array (..., n_rows); rows lie on the last axis."""

    def __init__(self, dtype: type[Scalar], leading: tuple[int, ...] = ()) -> None:
        """leading: shape of the axes before the rows."""
        self._room: npt.NDArray[Scalar] = np.zeros((*leading, 0), dtype=dtype)
        self.values: npt.NDArray[Scalar] = self._room

    def append(self, new: npt.ArrayLike) -> None:
        """Add rows at the end: (..., k)."""
        added = np.asarray(new, dtype=self._room.dtype)
        begin = self.values.shape[-1]
        end = begin + added.shape[-1]
        if end > self._room.shape[-1]:
            room = max(end, 2 * self._room.shape[-1], LEAST_ROOM)
            wider = np.zeros((*self._room.shape[:-1], room), dtype=self._room.dtype)
            wider[..., :begin] = self.values
            self._room = wider
        self.values = self._room[..., :end]
        self.values[..., begin:] = added

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        self.values[..., row] = self.values[..., -1]
        self.values = self._room[..., : self.values.shape[-1] - 1]

    @property
    def nbytes(self) -> int:
        """Memory held, bytes, with the room behind the end."""
        return self._room.nbytes


class Table(Generic[Kind]):
    """Columns named by the fields of a dataclass; ``view`` has them as one value of it.

    A field's annotation says which array it is (`dtypes`). A row is a value of the same dataclass
    that holds scalars; generic dataclasses serve as both.
    """

    def __init__(self, kind: type[Kind], dtypes: Mapping[Any, Any]) -> None:
        self._kind = kind
        kinds = {f.name: dtypes[f.type] for f in fields(kind)}  # type: ignore[arg-type]
        self._room = {name: np.zeros(LEAST_ROOM, dtype) for name, dtype in kinds.items()}
        self._rows = 0
        self.view: Kind = self._made()

    def _made(self) -> Kind:
        return self._kind(**{name: room[: self._rows] for name, room in self._room.items()})

    def append(self, rows: Sequence[Any]) -> None:
        """Add rows, each a value of scalars."""
        begin, end = self._rows, self._rows + len(rows)
        room = next(iter(self._room.values())).size
        if end > room:
            more = np.zeros(max(end, 2 * room) - room)
            self._room = {
                name: np.concatenate([old, more.astype(old.dtype)])
                for name, old in self._room.items()
            }
        for name, column in self._room.items():
            column[begin:end] = [getattr(row, name) for row in rows]
        self._rows = end
        self.view = self._made()

    def put(self, row: int, value: Any, *, leave: Sequence[str] = ()) -> None:
        """Set a row to a value of scalars, but leave some fields as they are."""
        for name, column in self._room.items():
            if name not in leave:
                column[row] = getattr(value, name)

    def write(self, rows: npt.NDArray[np.int64] | slice, value: Kind) -> None:
        """Set some rows to a value of arrays (n,)."""
        for name in self._room:
            getattr(self.view, name)[rows] = getattr(value, name)

    def row(self, row: int) -> Any:
        """One row as a value of Python scalars."""
        return self._kind(**{name: column[row].item() for name, column in self._room.items()})

    def remove(self, row: int) -> None:
        """Remove a row; the last row takes its place."""
        self._rows -= 1
        for column in self._room.values():
            column[row] = column[self._rows]
        self.view = self._made()

    @property
    def nbytes(self) -> int:
        """Memory held, bytes, with the room behind the end."""
        return sum(column.nbytes for column in self._room.values())
