"""A model whose fits and newest forecasts are tasks of shards."""

from collections.abc import Sequence
from typing import Self

from autoscaler.core.prediction.dependencies import Edges
from autoscaler.core.types import IntArray
from learner.demand import Demand
from learner.models import Forecast, Model
from learner.models.known_rows import KnownRows
from learner.sharding.shards import Shards


class Sharded:
    """Says what its model says. Raises TransientError where nobody does the tasks."""

    def __init__(self, model: Model, shards: Shards) -> None:
        self._model, self._shards = model, shards
        self.name, self.windows = model.name, model.windows

    def fit(self, demand: Demand, edges: Edges | None = None) -> Self:
        """Fit the model; what it does by joblib are tasks."""
        with self._shards.backend.fitting():
            self._model.fit(demand, edges)
        return self

    def predict(
        self, demand: Demand, origins: IntArray, known: KnownRows | None = None
    ) -> Forecast:
        """Of the end of ``demand`` by shards; of the past as the model does."""
        if known is not None or origins.tolist() != [demand.n_steps]:
            return self._model.predict(demand, origins, known)
        return self._shards.forecast(self._model, demand)

    def followed(self, services: Sequence[str]) -> set[str]:
        """As the model says."""
        return self._model.followed(services)
