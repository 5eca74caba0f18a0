"""What a command is given, made into a question: the past is read, and how services are set."""

from dataclasses import dataclass
from pathlib import Path

from autoscaler.access import Access
from autoscaler.cli.options import moment
from autoscaler.errors import PermanentError
from benchmarks.policies.policies import FULL, revision
from benchmarks.replay import WARM_UP_S, ReplaySettings
from benchmarks.report.screen import Screen
from benchmarks.whatif.cluster import OwnSettings, own_settings
from benchmarks.whatif.coverage import Coverage, coverage_of
from benchmarks.whatif.first import SCORED_S, first_look
from benchmarks.whatif.past import Past, read_past
from benchmarks.whatif.prices import read_prices
from benchmarks.whatif.run import Question
from knative.services.reader import ClusterSettings, read_settings
from learner.settings import LearnerSettings
from learner.sources.counters import Grid
from learner.sources.presets import OwnQueries
from learner.sources.queries import MAX_POINTS, PrometheusServer
from learner.sources.request_reader import POINTS, PastRequests


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command is given."""

    prometheus: str  # its address
    access: Access
    queries: str | OwnQueries  # a preset's name, or the user's own
    grid: Grid  # all steps that are read
    score: str  # how much of it, at its end, is simulated
    start_up_s: float  # of pods, where none was seen to start
    drain_s: float
    concurrency: int = 0  # of pods, where no cluster says so; 0 = no limit
    price_s: float  # of a cold request
    learner: LearnerSettings
    of_cluster: bool  # whether settings are read from a cluster
    context: str = ""  # its context; "" = the current one
    kubeconfig: Path | None = None
    prices: Path | None = None

    def question(self, screen: Screen) -> Question:
        """Read all that is asked of. Raises AutoscalerError."""
        if self.prices and not self.of_cluster:
            raise PermanentError(
                "prices is given without context; allowed: with one, whose pods say what they"
                " request"
            )
        prices = read_prices(self.prices) if self.prices else None
        cluster = self._cluster(screen) if self.of_cluster else None
        past = self._past(screen)
        coverage = coverage_of(past, cluster)
        return Question(
            past=past,
            coverage=coverage,
            settings=self._settings(past.end_s, past.scored_s(moment(self.score, 0.0))),
            own=self._own(past, cluster, coverage) if cluster else None,
            prices=prices,
        )

    def _cluster(self, screen: Screen) -> ClusterSettings:
        where = f"context {self.context}" if self.context else "the current context"
        screen.print(f"Reading how services are set in the cluster of {where}.")
        return read_settings(
            self.context, self.kubeconfig, start_up_s=self.start_up_s, drain_s=self.drain_s
        )

    def _past(self, screen: Screen) -> Past:
        points = POINTS, MAX_POINTS
        server = PrometheusServer(self.prometheus, points=points, access=self.access)

        def look(recent: PastRequests) -> None:
            said = first_look(recent, self._settings(recent.end_s, SCORED_S))
            if said:
                screen.print(said)

        with screen.progress() as progress:
            return read_past(server, self.grid, self.queries, progress, look)

    def _own(self, past: Past, cluster: ClusterSettings, coverage: Coverage) -> OwnSettings:
        default = revision(self.concurrency, self.start_up_s, self.drain_s)
        services = past.requests.services
        return own_settings(services, cluster, default, self.concurrency, coverage.silent)

    def _settings(self, end_s: float, scored_s: float) -> ReplaySettings:
        step_s = float(self.grid.step_s)
        return ReplaySettings(
            fit_until_s=end_s - scored_s, step_s=step_s, start_up_s=self.start_up_s,
            drain_s=self.drain_s, concurrency=self.concurrency, price_s=self.price_s,
            swept=(FULL,), warm_up_s=min(WARM_UP_S, scored_s // (4 * step_s) * step_s),
            learner=self.learner,
        )  # fmt: skip
