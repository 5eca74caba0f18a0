"""Copies of services, a kind of traffic under a policy each, and all requests that they get.

Copies of a kind get the same requests. Those of one policy come a little after those of another, as
starts of all at once would delay all; and all within less than a pod takes to start. Else what is
learned of one copy, that it is called whenever another was, would warn it in time. Whatever is
counted of a copy is moved by as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.live.kinds import Kind
from benchmarks.live.policies import Policy
from benchmarks.live.services import PREFIX, revision_of

SPREAD_S = 1.5  # from the first policy's requests to the last one's


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A kind of traffic under a policy."""

    kind: Kind
    policy: Policy
    shift_s: float  # that its requests come later

    @property
    def services(self) -> tuple[str, ...]:
        """Their names, the one that is called first."""
        name = f"{PREFIX}{self.kind.name}-{self.policy.label}"
        return (name, *(f"{name}-{hop}" for hop in range(2, self.kind.length + 1)))

    @property
    def revisions(self) -> tuple[str, ...]:
        """Their only ones."""
        return tuple(revision_of(service) for service in self.services)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Time that is first learned in, and discarded, and then measured in rounds."""

    learning_s: float
    round_s: float
    rounds: int

    @property
    def total_s(self) -> float:
        """Of all."""
        return self.learning_s + self.rounds * self.round_s

    def edges_s(self, copy: Copy) -> FloatArray:
        """(rounds + 1,) s after the beginning at which a copy's rounds begin, and the last ends."""
        begin_s = self.learning_s + copy.shift_s
        return np.asarray(begin_s + self.round_s * np.arange(self.rounds + 1), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All requests, in the order in which they are meant to be sent."""

    at_s: FloatArray  # (n,) s after the beginning, ascending
    copy: IntArray  # (n,) whose


def copies_of(kinds: Sequence[Kind], policies: Sequence[Policy]) -> tuple[Copy, ...]:
    """Each kind under each policy."""
    shifts_s = np.linspace(0.0, SPREAD_S, len(policies)).tolist()
    return tuple(
        Copy(kind=kind, policy=policy, shift_s=shift_s)
        for kind in kinds
        for policy, shift_s in zip(policies, shifts_s, strict=True)
    )


def schedule_of(copies: Sequence[Copy], span: Span, seed: int) -> Schedule:
    """When which copy is called: all copies of a kind at the same times, but for their shifts."""
    drawn: dict[str, FloatArray] = {}
    for copy in copies:
        if copy.kind.name not in drawn:  # of its own name, so that kinds may come and go
            random = np.random.default_rng([seed, *copy.kind.name.encode()])
            drawn[copy.kind.name] = copy.kind.law(random, span.total_s)
    at_s = [drawn[copy.kind.name] + copy.shift_s for copy in copies]
    whose = np.repeat(np.arange(len(copies)), [len(times) for times in at_s])
    times = np.concatenate([np.empty(0), *at_s])
    order = np.argsort(times, kind="stable")
    return Schedule(at_s=times[order], copy=whose[order])
