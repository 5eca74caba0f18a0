"""FeMux's Markov chain: what came after a state is what comes after it.

A state is the last change, for how long the value has been the same, the value, and the sign of the
last change that was one. Transitions are counted from the first step on. The next state is drawn
at random by those counts, seeded here; a state never left before is replaced by the nearest that
was, by the root of the mean square of the differences.
"""

import numpy as np

from autoscaler.core.types import FloatArray

SEED = 0
DIGITS, DIGITS_BELOW_1 = 2, 7  # to which values are rounded

State = tuple[float, int, float, int]


class _Chain:
    """The transitions of one service."""

    def __init__(self, most: int) -> None:
        """most: states that may be left."""
        self.after: dict[State, dict[State, int]] = {}
        self._left = np.zeros((most, 4))  # states that were left, as they came

    def learn(self, state: State, following: State) -> None:
        """Count a transition."""
        if state not in self.after:
            self._left[len(self.after)] = state
            self.after[state] = {}
        counts = self.after[state]
        counts[following] = counts.get(following, 0) + 1

    def draw(self, state: State, at: float) -> float:
        """The value of a next state; at: 0 ... 1, where among the counts."""
        counts = self.after.get(state) or self.after[self._nearest(state)]
        end = np.cumsum(list(counts.values()))
        return list(counts)[int(np.searchsorted(end, at * end[-1], side="right"))][2]

    def _nearest(self, state: State) -> State:
        away = self._left[: len(self.after)] - state
        change, run, value, sign = self._left[np.einsum("ij,ij->i", away, away).argmin()].tolist()
        return change, int(run), value, int(sign)


def next_steps(in_flight: FloatArray, first: int, seed: int = SEED) -> FloatArray:
    """(n, n_steps - first) forecasts; of the first steps, where nothing was left yet, nothing."""
    found = np.zeros((len(in_flight), in_flight.shape[1] - first))
    for row, values in enumerate(in_flight):
        draws = np.random.default_rng((seed, row)).random(len(values))
        states = _states(values)
        chain = _Chain(len(states))
        for step in range(1, len(states)):
            if step >= first and chain.after:
                found[row, step - first] = chain.draw(states[step - 1], draws[step])
            chain.learn(states[step - 1], states[step])
    return found


def _states(values: FloatArray) -> list[State]:
    """Of each step. Before the first there was nothing."""
    rounded = np.where(values < 1, np.round(values, DIGITS_BELOW_1), np.round(values, DIGITS))
    change = np.diff(rounded, prepend=0.0)
    at = np.arange(len(values))
    since = np.maximum.accumulate(np.where(change != 0, at, 0))
    sign = np.sign(change)[since].astype(np.int64)
    return list(
        zip(
            change.tolist(), (at - since + 1).tolist(), rounded.tolist(), sign.tolist(), strict=True
        )
    )
