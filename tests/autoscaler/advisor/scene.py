"""A controller's snapshots and a learner's bundle, as an advisor's process meets them."""

from dataclasses import replace
from pathlib import Path

from autoscaler.bundle.file import save_bundle
from autoscaler.clock import SystemClock
from autoscaler.core.state.revision import KNATIVE_DEFAULTS, Mode
from autoscaler.exchange.advice import NAME, AdviceTable, read_advice
from autoscaler.exchange.snapshot import NAMES, write_names
from tests.autoscaler.advisor.controller import Controller
from tests.autoscaler.advisor.forecasts import a_bundle

CLOCK = SystemClock()
SERVICE, KEY = "shop/cart", "shop/cart-00001"


class Scene:
    """One revision in mode outward, of a service with one pod."""

    def __init__(self, folder: Path) -> None:
        self.snapshots, self.advice = folder / "snapshots", folder / "advice"
        self.bundle = folder / "forecasts.npz"
        for place in (self.snapshots, self.advice):
            place.mkdir()
        self.controller = Controller(self.snapshots, begin_s=CLOCK.now())
        spec = replace(KNATIVE_DEFAULTS, mode=Mode.OUTWARD)
        self.controller.has(KEY, SERVICE, spec, ready=1)

    @property
    def folders(self) -> list[str]:
        """Options of the advisor's command line."""
        return [f"--snapshots={self.snapshots}", f"--advice={self.advice}"]

    def tick(self, in_flight: float = 30.0) -> None:
        """The controller decides, and shows it."""
        names = self.controller.names.values()
        write_names(self.snapshots / NAMES, [name.encoded() for name in names])
        self.controller.ticks(CLOCK.now() - self.controller.begin_s, in_flight)

    def learned(self, demand: float = 250.0) -> None:
        """The learner publishes that it is sure of so many requests in flight."""
        save_bundle(a_bundle(demand, SERVICE, now=CLOCK.now()), self.bundle)

    def advised(self) -> AdviceTable | None:
        """What was advised last; None = nothing was."""
        path = self.advice / NAME
        return read_advice(path) if path.exists() else None
