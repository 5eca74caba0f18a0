"""Experts that answer as one model. Whatever is a `Model` may be one of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import IntArray
from learner.demand import Demand
from learner.experts.mixture import Mixture
from learner.models import Forecast, Model
from learner.models.known_rows import KnownRows, known_rows


class Experts:
    """The first one knows which levels are in reach."""

    name = "experts"

    def __init__(self, models: Sequence[Model], mixture: Mixture) -> None:
        """``mixture``: of those models, in their order; it outlives them."""
        self.models, self.mixture = tuple(models), mixture
        self.windows = models[0].windows

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        """Fit each."""
        for model in self.models:
            model.fit(demand, edges)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        """Mix what each says. ``by``: how much each counts, on average of the windows."""
        known = known or known_rows(demand, origins, self.windows)
        given = [model.predict(demand, origins, known) for model in self.models]
        mixed = self.mixture.mixed(demand, origins, given)
        percent = np.rint(100 * self.mixture.weights(demand.services).mean(axis=2)).astype(int)
        names = [model.name for model in self.models]
        by = tuple(_said(names, each) for each in percent.T.tolist())
        return replace(mixed, by=by)

    def followed(self, services: Sequence[str]) -> set[str]:
        """Whom any of them follows."""
        return set().union(*(model.followed(services) for model in self.models))


class Unchanged:
    """A model that was fitted elsewhere, and is not fitted anew."""

    def __init__(self, model: Model) -> None:
        self.name, self.windows = model.name, model.windows
        self.predict, self.followed = model.predict, model.followed

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:  # noqa: ARG002
        """Stay as it is."""
        return self


def _said(names: Sequence[str], percent: Sequence[int]) -> str:
    order = sorted(range(len(names)), key=lambda i: -percent[i])
    return ", ".join(f"{names[i]} {percent[i]} %" for i in order if percent[i])
