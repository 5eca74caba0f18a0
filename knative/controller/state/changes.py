"""Changed decisions, stored until the next snapshot."""

from dataclasses import fields

import numpy as np

from autoscaler.core.control import Instructions
from autoscaler.core.state.columns import Table
from autoscaler.core.state.decision import Decision
from autoscaler.core.state.fleet import Fleet
from autoscaler.core.state.revision import DTYPES
from autoscaler.exchange.snapshot import Changes
from autoscaler.limits import CHANGES


class ChangeLog:
    """Stores changes in order of time, up to a limit; the others are counted."""

    def __init__(self) -> None:
        self._pieces: list[Changes] = []
        self._stored = 0
        self.left_out = 0  # since the start

    def add(self, fleet: Fleet, done: Instructions) -> None:
        """Store what was decided differently than before."""
        room = int(CHANGES.most) - self._stored
        rows, before = done.decided[:room], done.before[:room]
        self.left_out += len(done.decided) - len(rows)
        if not len(rows):
            return
        decision = {f.name: getattr(fleet.decision, f.name)[rows] for f in fields(Decision)}
        piece = Changes(revision=fleet.ids[rows], before=before, decision=Decision(**decision))
        self._pieces.append(piece)
        self._stored += len(rows)

    def take(self) -> Changes:
        """The changes since the last call."""
        pieces, self._pieces, self._stored = self._pieces or [_NONE], [], 0
        if len(pieces) == 1:
            return pieces[0]
        decision = {
            f.name: np.concatenate([getattr(p.decision, f.name) for p in pieces])
            for f in fields(Decision)
        }
        return Changes(
            revision=np.concatenate([p.revision for p in pieces]),
            before=np.concatenate([p.before for p in pieces]),
            decision=Decision(**decision),
        )


_NO_ROWS = np.zeros(0, dtype=np.int64)
_NONE = Changes(revision=_NO_ROWS, before=_NO_ROWS, decision=Table(Decision, DTYPES).view)
