"""FeMux: block by block, the forecaster that was best for blocks with features alike.

Source: ubc-cirrus-lab/femux. Blocks are 504 minutes; each is forecast by what its cluster (of the
block before it: scaled features, k-means) was forecast best by, in RUM. Half of the rows to learn
from make clusters, the other half choose how many. Blocks that follow none are forecast by a
keep-alive of 10 minutes.

FeMux learns from 70 % of the applications and is tested on the others, in the same days. Here it
learns from the past of the services that it then scales: every row is known when it is used. Its
released code tells which forecaster is best for a cluster from **the rows that it is tested on**:
the variant that is ``told_by`` another does so, and has hindsight. Memory is not known here, so
every container has that of a usual Azure application. Its knob is FeMux's own: how much a cold
start weighs beside waste.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from autoscaler.core.types import FloatArray, IntArray
from benchmarks.policies.contender import Knob, Plan, Scene
from benchmarks.policies.femux_features import features
from benchmarks.policies.femux_forecasters import FIRST, FORECASTERS
from benchmarks.policies.latest import Latest
from benchmarks.policies.point_forecast import in_flight, pods_for
from benchmarks.scores.femux_rules import played
from benchmarks.scores.rum import BLOCK, Weighting, for_training, in_blocks, rum

MEMORY_GB = 0.17  # that half of Azure's applications stay within (Shahrad et al., 2020)
CLUSTERS = (10, 30, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000)
NAMES = tuple(FORECASTERS)
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """All whole blocks of all services, and what each forecaster gave for them."""

    forecasts: FloatArray  # (n_forecasters, n, n_steps)
    features: FloatArray  # (n, n_blocks, 4)
    cold: FloatArray  # (n_forecasters, n, n_blocks)
    wasted: FloatArray  # (n_forecasters, n, n_blocks) GB-s
    invocations: FloatArray  # (n, n_blocks)

    def rums(self, weighting: Weighting) -> FloatArray:
        """(n, n_blocks, n_forecasters) as FeMux learns from them."""
        found = for_training(rum(self.cold, self.wasted, weighting), self.invocations, self.wasted)
        return np.moveaxis(found, 0, -1)


def blocks_of(scene: Scene) -> Blocks:
    """Play all forecasters from the first step on."""
    actual = in_flight(scene)
    invocations = np.nan_to_num(scene.demand.arrivals).astype(np.float64)
    memory = np.full(len(actual), MEMORY_GB)
    forecasts = np.array([forecast(actual, 0) for forecast in FORECASTERS.values()])
    minutes = [played(actual, each, invocations, memory) for each in forecasts]
    n_blocks = actual.shape[1] // BLOCK
    parts = actual[:, : n_blocks * BLOCK].reshape(-1, BLOCK)
    return Blocks(
        forecasts=forecasts,
        features=features(parts).reshape(len(actual), n_blocks, 4),
        cold=np.array([in_blocks(each.cold) for each in minutes]),
        wasted=np.array([in_blocks(each.wasted_gb_s) for each in minutes]),
        invocations=in_blocks(invocations),
    )


class Femux:
    """The choice among forecasters; forecasts become floors as those of all point forecasts."""

    knob = Knob(name="weight of cold starts in RUM", values=(0.25, 1.0, 4.0, 16.0), default=1.0)
    monotone = False  # which forecaster provides more is not ordered

    def __init__(self, name: str = "FeMux", *, told_by: "Femux | None" = None) -> None:
        """told_by: choose as released, on the test set, from the blocks that another one played."""
        self.name = name
        self.hindsight = told_by is not None
        self._blocks: Latest[Blocks] = told_by._blocks if told_by else Latest(blocks_of)

    def plan(self, scene: Scene, value: float) -> Plan:
        """``value``: the weight; that of waste is 1."""
        forecasts = self.forecasts(scene, value)
        return Plan(
            services=scene.services, floors=pods_for(forecasts, scene), mean_in_flight=forecasts
        )

    def forecasts(self, scene: Scene, value: float = 1.0) -> FloatArray:
        """(n, n_steps - first) requests in flight on average, of each step from the first on."""
        blocks = self._blocks(scene)
        chosen = _chosen(blocks, scene.first, Weighting(cold=value), on_test_set=self.hindsight)
        steps = np.arange(scene.first, scene.demand.n_steps)
        rows = np.arange(len(chosen))[:, None]
        return np.asarray(blocks.forecasts[chosen[:, steps // BLOCK], rows, steps])


def _chosen(blocks: Blocks, first: int, weighting: Weighting, *, on_test_set: bool) -> IntArray:
    """(n, n_blocks + 1) index of the forecaster of each block."""
    n, n_blocks, _ = blocks.features.shape
    chosen = np.full((n, n_blocks + 1), NAMES.index(FIRST))
    rums = blocks.rums(weighting)
    whole = first // BLOCK  # blocks of the past
    if whole < 2 or not n:
        return chosen
    known, following = blocks.features[:, : whole - 1], rums[:, 1:whole]
    told = following.sum(axis=-1) > 0
    clusters = Clusters.of(known[told], following[told])
    if clusters is None:
        return chosen
    if on_test_set:
        clusters = clusters.told_by(
            blocks.features[:, whole - 1 : -1].reshape(-1, 4),
            rums[:, whole:].reshape(-1, len(NAMES)),
        )
    tested = blocks.features[:, whole - 1 :]
    chosen[:, whole:] = clusters.best(tested.reshape(-1, 4)).reshape(n, -1)
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Clusters:
    """Clusters of features, and the forecaster of each."""

    scaler: StandardScaler
    means: KMeans
    table: IntArray  # (n_clusters,) index of its forecaster

    @classmethod
    def of(cls, known: FloatArray, rums: FloatArray) -> "Clusters | None":
        """From rows: features (m, 4) and the RUM of each forecaster in the block that followed.

        None where they are fewer than two.
        """
        if len(known) < 2:
            return None
        even, odd = slice(0, None, 2), slice(1, None, 2)
        distinct = len(np.unique(known[even], axis=0))
        sizes = [k for k in CLUSTERS if k <= distinct] or [distinct]
        tried = [cls._fitted(known[even], rums[even], k) for k in sizes]
        costs = [
            np.take_along_axis(rums[odd], each.best(known[odd])[:, None], axis=1).sum()
            for each in tried
        ]
        return tried[int(np.argmin(costs))]

    @classmethod
    def _fitted(cls, known: FloatArray, rums: FloatArray, k: int) -> "Clusters":
        scaler = StandardScaler().fit(known)
        means = KMeans(k, n_init=1, random_state=SEED).fit(scaler.transform(known))
        return cls(scaler=scaler, means=means, table=_table(means.labels_, rums, k))

    def told_by(self, known: FloatArray, rums: FloatArray) -> "Clusters":
        """The same clusters, whose forecasters are the best for these rows."""
        table = _table(self._cluster(known), rums, len(self.table))
        return Clusters(scaler=self.scaler, means=self.means, table=table)

    def best(self, known: FloatArray) -> IntArray:
        """(m,) forecasters of blocks that follow ones with features (m, 4)."""
        return self.table[self._cluster(known)]

    def _cluster(self, known: FloatArray) -> IntArray:
        return np.asarray(self.means.predict(self.scaler.transform(known)), dtype=np.int64)


def _table(cluster: IntArray, rums: FloatArray, k: int) -> IntArray:
    """(k,) forecaster with the least RUM over each cluster's rows."""
    total = np.zeros((k, rums.shape[1]))
    np.add.at(total, cluster, rums)
    return np.asarray(total.argmin(axis=1), dtype=np.int64)
