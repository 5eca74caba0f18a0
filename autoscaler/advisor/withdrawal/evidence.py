"""The sequential test by which a forecast loses its say for a service, and gets it back.

Of an hour, x is what acting on the forecast was worth, in s of pod: price x requests spared a wait,
less the pod-seconds paid for it. While the forecast is in force the null hypothesis is that acting
is worth it, E[x | past] >= 0. One bets against it: a stake f in (0, 1] of the wealth, each hour, at
fair odds,

    L = 1 - f x / b        where b, fixed before the hour, is more than any hour can be worth

is never negative, and under the hypothesis E[L | past] <= 1. So the wealth of a bet that begins at
any hour j, the product of L since then, is a nonnegative supermartingale, and by Ville's inequality
it ever reaches 1 / a with a probability of at most a. W = max(W, 1) L is the greatest over all j.
Over n hours it therefore reaches 1 / a with a probability of at most n a, and so does the mean over
several f. This is a CUSUM of e-values (an "e-detector", Shin, Ramdas, Rinaldo 2023; the bets of
Waudby-Smith, Ramdas 2023): what was earned long ago does not put off what is lost now. The law of x
is free, hours may depend on each other, and nothing is assumed of how much an hour may lose.

What has to be assumed is b. Without a bound no test can tell a loss from what pays once in a
hundred years. b is twice the most that any hour could have been worth, were all saved that Knative
let wait, which is known in every mode; half of that is forgotten in `BEST_HALF_LIFE_H`. So it holds
if what matters comes again within that time and not twice as large. An hour beyond b says that
the assumption was wrong: the evidence is void, and begins anew.

As log(1 - y) <= -y, log W is at most f / b times what was lost since j, whatever the order of
hours. So nothing is withdrawn before it has lost 14 times b, which is 28 of its best possible
hours: one rare request at a high price outweighs many small costs, be they before or after it.

While it is withdrawn the twin goes on, and the hypothesis is the opposite one, E[x | past] <= 0,
against b of what an hour could cost at most. It is the weaker test, since an error costs little: it
is withdrawn again. That bound is forgotten faster, so that a fault does not exclude for ever.

What both policies differ by within `DOUBT` of Knative's own is no evidence: one of them is the
twin's, which may be so far off.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from autoscaler.core.types import BoolArray, FloatArray, IntArray

FALSE_WITHDRAWAL = (
    1e-6  # at most, in each hour: below 1 % in a year, of what is not worth it at all
)
FALSE_RETURN = 1e-3  # at most, in each hour, of what loses nothing: once in 41 days
STAKES = 2.0 ** -np.arange(6)[:, None]  # (k, 1) of the wealth
SAFETY = 2.0
BEST_HALF_LIFE_H, WORST_HALF_LIFE_H = 28 * 24, 24  # h that are known
KNOWN_H = 24  # h of a service that are looked at before anything is concluded from further ones
DOUBT = 0.05  # `benchmarks.goals.twin`: pods are off by up to 4 %, cold requests by up to 7 %


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """What an hour that is over held of n services; (n,) each."""

    price_s: FloatArray  # s of pod that a request is worth which does not wait
    knative_short: FloatArray  # requests that arrived while pods did not suffice
    ahead_short: FloatArray
    knative_pod_s: FloatArray
    ahead_pod_s: FloatArray

    @property
    def saved(self) -> FloatArray:
        """(n,) requests."""
        return self.knative_short - self.ahead_short

    @property
    def more_pod_s(self) -> FloatArray:
        """(n,) s of pod."""
        return self.ahead_pod_s - self.knative_pod_s

    @property
    def value_s(self) -> FloatArray:
        """(n,) what acting was worth, s of pod."""
        return self.price_s * self.saved - self.more_pod_s

    @property
    def doubt_s(self) -> FloatArray:
        """(n,) s of pod by which its value may be wrong."""
        return DOUBT * (self.price_s * self.knative_short + self.knative_pod_s)

    @property
    def best_s(self) -> FloatArray:
        """(n,) the most that it could have been worth."""
        all_saved_s = self.price_s * self.knative_short
        return all_saved_s + np.maximum(-self.more_pod_s, 0.0) + self.doubt_s

    @property
    def worst_s(self) -> FloatArray:
        """(n,) the most that it cost, s of pod."""
        missed_s = self.price_s * np.maximum(-self.saved, 0.0)
        return missed_s + np.maximum(self.more_pod_s, 0.0) + self.doubt_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known of n services; (n,) each."""

    withdrawn: BoolArray
    known_h: IntArray  # h since the last change, or since the service is known
    best_s: FloatArray  # s of pod, the most that an hour was worth, the older the less
    worst_s: FloatArray  # s of pod, the most that one cost, the older the less
    log_wealth: FloatArray  # (k, n) of each stake, against what is in force
    run: FloatArray  # (3, n) h, requests saved, more s of pod, since evidence last began anew

    @classmethod
    def none(cls, n: int) -> "Evidence":
        """Of n services that are in force."""
        return cls(
            withdrawn=np.zeros(n, dtype=np.bool_),
            known_h=np.zeros(n, dtype=np.int64),
            best_s=np.zeros(n),
            worst_s=np.zeros(n),
            log_wealth=np.zeros((len(STAKES), n)),
            run=np.zeros((3, n)),
        )

    def joined(self, more: "Evidence") -> "Evidence":
        """These services and then others."""
        return Evidence(
            **{
                f.name: np.concatenate([getattr(self, f.name), getattr(more, f.name)], axis=-1)
                for f in fields(self)
            }
        )

    def after(self, hour: Hour) -> "Evidence":
        """With one more hour; its ``withdrawn`` is what follows from it."""
        out = self.withdrawn
        log_wealth, began = self._bet(hour)
        least = np.log(1.0 / np.where(out, FALSE_RETURN, FALSE_WITHDRAWAL))
        changes = np.logaddexp.reduce(log_wealth, axis=0) - np.log(len(STAKES)) >= least
        more = np.stack([np.ones(len(out)), hour.saved, hour.more_pod_s])
        return replace(
            self,
            withdrawn=out ^ changes,
            known_h=np.where(changes, 0, self.known_h + 1),
            best_s=_most(self.best_s, hour.best_s, BEST_HALF_LIFE_H),
            worst_s=_most(self.worst_s, hour.worst_s, WORST_HALF_LIFE_H),
            log_wealth=np.where(changes, 0.0, log_wealth),
            run=np.where(began, 0.0, self.run) + more,
        )

    def _bet(self, hour: Hour) -> tuple[FloatArray, BoolArray]:
        """(k, n) the wealth after an hour, and (n,) where evidence begins with it."""
        out = self.withdrawn
        # An hour may always be worth, or cost, one request.
        bound_s = SAFETY * np.maximum(np.where(out, self.worst_s, self.best_s), hour.price_s)
        for_it_s = hour.value_s + np.where(out, -1.0, 1.0) * hour.doubt_s
        y = np.where(out, 1.0, -1.0) * for_it_s / np.maximum(bound_s, 1.0)
        before = np.maximum(self.log_wealth, 0.0)
        with np.errstate(divide="ignore"):
            after = before + np.log1p(STAKES * np.maximum(y, -1.0))
        void = (self.known_h < KNOWN_H) | (y < -1.0)
        return np.where(void, 0.0, after), np.asarray(void | (before <= 0.0).all(axis=0))


def _most(former_s: FloatArray, now_s: FloatArray, half_life_h: int) -> FloatArray:
    return np.asarray(np.maximum(former_s * 0.5 ** (1.0 / half_life_h), now_s))
