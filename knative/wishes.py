"""What is wanted of each revision, and which of it is new: nothing is written twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.decision import Decisions
from autoscaler.core.fleet import Fleet
from autoscaler.core.revision import Active
from autoscaler.core.types import IntArray
from knative.services import PROXY, SERVE

WORDS = 8  # of a decision and of what was seen, that a write depends on
NOTHING = -2  # no word says this


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the last decision wants of one revision."""

    want: int  # pods; -1 = no decision
    apply: bool  # the scale target has to be written
    probe: bool  # the activator has to be asked whether it answers
    mode: str  # of the ServerlessService
    activators: int
    ready: int  # pods
    active: Active
    initialized: bool


class Wishes:
    """The last decision of each revision, and what was acted for."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Decisions, int]] = {}  # decision and place in it
        self._keys: tuple[str, ...] = ()  # rows of the fleet that the words are of
        self._layout = 0  # of that fleet
        self._words: IntArray = np.zeros((WORDS, 0), dtype=np.int64)

    def get(self, fleet: Fleet, key: str) -> Wish | None:
        """What is wanted of a revision; None = nothing was decided yet."""
        found = self._last.get(key)
        if found is None:
            return None
        said, at = found
        row, seen = fleet.row(key), fleet.seen
        return Wish(
            want=int(said.want[at]),
            apply=bool(said.apply[at]),
            probe=bool(said.probe[at]),
            mode=PROXY if said.proxy[at] else SERVE,
            activators=int(said.activators[at]),
            ready=int(seen.ready[row]),
            active=Active(int(seen.active[row])),
            initialized=bool(seen.initialized[row]),
        )

    def note(self, fleet: Fleet, decisions: Decisions) -> set[str]:
        """Take in decisions; returns keys of which something new is wanted."""
        rows, seen = decisions.rows, fleet.seen
        words = np.stack(
            [
                decisions.want,
                decisions.proxy,
                decisions.activators,
                decisions.apply,
                decisions.probe,
                seen.active[rows],
                seen.ready[rows],
                seen.initialized[rows],
            ]
        ).astype(np.int64)
        if self._layout != fleet.layout:
            self._move(fleet.keys)
            self._layout = fleet.layout
        changed = (words != self._words[:, rows]).any(axis=0)
        self._words[:, rows] = words
        keys = [fleet.keys[row] for row in rows.tolist()]
        self._last.update({key: (decisions, i) for i, key in enumerate(keys)})
        return {keys[i] for i in np.flatnonzero(changed).tolist()}

    def forget(self, key: str) -> None:
        """A revision went."""
        self._last.pop(key, None)

    def _move(self, keys: Sequence[str]) -> None:
        """Keep the words of each revision though rows have come, gone or moved."""
        place = {key: i for i, key in enumerate(self._keys)}
        old = np.array([place.get(key, -1) for key in keys], dtype=np.int64)
        words = np.full((WORDS, len(keys)), NOTHING, dtype=np.int64)
        words[:, old >= 0] = self._words[:, old[old >= 0]]
        self._keys, self._words = tuple(keys), words
