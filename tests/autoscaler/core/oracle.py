"""Knative's rule for one revision, written as plainly as it is described: judges the arrays.

Nothing here is fast and nothing is shared with the code under test: seconds are keys of a dict,
sums are added up anew, every step is an `if`. It follows the description of Knative's autoscaler,
so a difference means that one of the two has misread it.
"""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from autoscaler.core.state.revision import Active, Metric, Observed, Revision


def round_half_away(x: float) -> float:
    """Six decimals, half away from zero, in exact arithmetic."""
    return float(Decimal(x * 1e6).quantize(Decimal(1), rounding=ROUND_HALF_UP)) / 1e6


class Buckets:
    """One window of one metric: a sum for each second."""

    def __init__(self, length_s: int) -> None:
        self.length_s = length_s
        self.sums: dict[int, float] = {}
        self.first: int | None = None
        self.last: int | None = None

    def record(self, second: int, value: float) -> None:
        if self.last is not None and second <= self.last - self.length_s:
            return
        if self.last is None or self.first is None or second - self.last >= self.length_s:
            self.sums, self.first, self.last = {}, second, second
        self.first, self.last = min(self.first, second), max(self.last, second)
        self.sums[second] = self.sums.get(second, 0.0) + value
        self._forget(self.length_s)

    def resize(self, length_s: int) -> None:
        if length_s == self.length_s:
            return
        self._forget(min(length_s, self.length_s))
        if self.last is not None:
            self.first = self.last - (self.length_s - 1)
        self.length_s = length_s

    def _forget(self, length_s: int) -> None:
        if self.last is not None:
            oldest = self.last - length_s
            self.sums = {s: v for s, v in self.sums.items() if s > oldest}

    def empty(self, second: int) -> bool:
        return self.last is None or second - self.last > self.length_s

    def linear(self, second: int) -> float:
        if self.last is None or self.first is None:
            return 0.0
        silent = second - self.last
        if silent >= self.length_s:
            return 0.0
        age = self.last - self.first + 1
        if silent <= 0:
            return round_half_away(sum(self.sums.values()) / min(age, self.length_s))
        total = sum(v for s, v in self.sums.items() if s > second - self.length_s)
        return round_half_away(total / min(age, self.length_s - silent))

    def exponential(self, second: int) -> float:
        if self.last is None or self.empty(second):
            return 0.0
        k = max(1 - (1 - 0.9999) ** (1 / self.length_s), 0.2)
        newest = max(second, self.last)
        ages = range(newest - self.last, self.length_s)
        return float(sum(self.sums.get(newest - age, 0.0) * k * (1 - k) ** age for age in ages))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one tick says of one revision; the names are those of `Decisions`."""

    no_data: bool
    stable: float
    panic: float
    panicking: bool
    kpa: int
    excess_burst_capacity: float
    want: int
    scale: bool
    probe: bool
    proxy: bool
    activators: int
    next_active: int


class Kpa:
    """One revision's life under Knative's rule."""

    def __init__(self, spec: Revision, *, ready: int, now: float) -> None:
        self.spec = spec
        self.delay_slots = math.ceil(spec.scale_down_delay_s / 2)
        self.weighted = spec.weighted_exponential
        self.stable = {m: Buckets(spec.stable_window_s) for m in Metric}
        self.panic = {m: Buckets(spec.panic_window_s) for m in Metric}
        self.panic_since: float | None = now if ready > 1 else None
        self.max_panic_pods = ready if ready > 1 else 0
        self.desired = -1
        burst = spec.target_burst_capacity
        spare = float(int(spec.initial_scale * spec.total - burst))
        self.burst = burst if burst in (-1, 0) else spare
        self.slots: dict[int, int] = {}

    def configure(self, spec: Revision) -> None:
        self.spec = spec
        for metric in Metric:
            self.stable[metric].resize(spec.stable_window_s)
            self.panic[metric].resize(spec.panic_window_s)

    def record(self, second: int, concurrency: float, rps: float) -> None:
        for store in (self.stable, self.panic):
            store[Metric.CONCURRENCY].record(second, concurrency)
            store[Metric.RPS].record(second, rps)

    def tick(self, observed: Observed[float, int, bool], now: float) -> Answer:
        spec, second = self.spec, math.floor(now)
        stable, panic = self._average(self.stable, second), self._average(self.panic, second)
        silent = self.stable[Metric(spec.metric)].empty(second)
        no_data = silent and spec.has_scrape_target
        if not no_data:
            self.desired = self._desired(observed.ready, stable, panic, now)
            self.burst = self._spare(observed.ready, panic)
        want, apply, probe = self.want(observed, now)
        return Answer(
            no_data=no_data,
            stable=stable,
            panic=panic,
            panicking=self.panic_since is not None,
            kpa=self.desired,
            excess_burst_capacity=self.burst,
            want=want,
            scale=apply and want != observed.replicas,
            probe=probe,
            proxy=not (want > 0 and self.burst >= 0),
            activators=self._activators(observed.ready),
            next_active=self._next_active(want, observed),
        )

    def _average(self, stores: dict[Metric, Buckets], second: int) -> float:
        store = stores[Metric(self.spec.metric)]
        return store.exponential(second) if self.weighted else store.linear(second)

    def _desired(self, ready: int, stable: float, panic: float, now: float) -> int:
        spec, pods = self.spec, max(1, ready)
        up = math.ceil(spec.max_scale_up_rate * pods)
        down = math.floor(pods / spec.max_scale_down_rate) if spec.reachable else 0
        want_stable, want_panic = math.ceil(stable / spec.target), math.ceil(panic / spec.target)
        by_stable = min(max(want_stable, down), up)
        by_panic = min(max(want_panic, down), up)
        if spec.activation_scale > 1:
            if want_stable > 0:
                by_stable = max(by_stable, spec.activation_scale)
            if want_panic > 0:
                by_panic = max(by_panic, spec.activation_scale)
        self._panic(want_panic / pods >= spec.panic_threshold, now)
        desired = by_stable
        if self.panic_since is not None:
            self.max_panic_pods = max(self.max_panic_pods, by_stable, by_panic)
            desired = self.max_panic_pods
        return self._delayed(desired, now)

    def _panic(self, over: bool, now: float) -> None:
        if over:
            self.panic_since = now
        elif self.panic_since is not None and self.panic_since + self.spec.stable_window_s < now:
            self.panic_since, self.max_panic_pods = None, 0

    def _delayed(self, desired: int, now: float) -> int:
        if not self.spec.reachable or self.delay_slots == 0:
            return desired
        slot = math.floor(now) // 2
        self.slots[slot] = max(self.slots.get(slot, desired), desired)
        return max(v for s, v in self.slots.items() if s > slot - self.delay_slots)

    def _spare(self, ready: int, panic: float) -> float:
        burst = self.spec.target_burst_capacity
        if burst > 0:
            return math.floor(ready * self.spec.total - burst - panic)
        return -1.0 if burst < 0 else 0.0

    def _activators(self, ready: int) -> int:
        spec = self.spec
        if spec.target_burst_capacity == 0:
            return 2
        load = ready * spec.total + max(spec.target_burst_capacity, 0)
        return max(2, math.ceil(load / spec.activator_capacity))

    def _bounded(self, observed: Observed[float, int, bool]) -> int:
        spec = self.spec
        if self.desired < 0 and observed.active != Active.UNKNOWN:
            return -1
        least = spec.min_scale if spec.reachable else 0
        if not observed.initialized and spec.initial_scale > 1 and spec.reachable:
            least = max(least, spec.initial_scale)
        most = spec.max_scale if spec.max_scale > 0 else math.inf
        return int(max(least, min(self.desired, most)))

    def want(self, observed: Observed[float, int, bool], now: float) -> tuple[int, bool, bool]:
        """Pods wanted, whether the scale target is written, whether the activator is probed."""
        spec, bounded = self.spec, self._bounded(observed)
        if bounded != 0:
            return bounded, bounded > 0, False
        if not spec.enable_scale_to_zero:
            return 1, True, False
        since = now - observed.active_since_s
        if observed.active == Active.UNKNOWN:
            return (0, True, False) if since > spec.activation_timeout_s else (-1, False, False)
        if observed.active == Active.TRUE:
            return (1, True, False) if since < spec.stable_window_s else (0, False, False)
        if spec.target_burst_capacity != -1 and not observed.probe_passed:
            return 0, False, True
        return 0, self._may_go(observed, since, now), False

    def _may_go(self, observed: Observed[float, int, bool], since: float, now: float) -> bool:
        spec = self.spec
        retention = spec.retention_s if spec.reachable else 0.0
        if since >= max(spec.grace_s, retention):
            return True
        if retention > 0 and since < retention:
            return False
        proxied = 0.0 if math.isnan(observed.proxied_since_s) else now - observed.proxied_since_s
        return proxied >= spec.grace_s

    def _next_active(self, want: int, observed: Observed[float, int, bool]) -> int:
        spec = self.spec
        least = spec.min_scale if spec.reachable else 0
        threshold = max(least, 1 if observed.initialized else spec.initial_scale)
        if want == 0 or threshold == 0:
            return Active.FALSE
        if want < 0 and observed.active == Active.FALSE:
            return Active.FALSE
        return Active.TRUE if observed.ready >= threshold else Active.UNKNOWN
