"""Made shops whose services call each other, and who comes to them: all synthetic, all seeded."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.simulator.calls import Call, Service, Shop

Arrivals = list[tuple[float, int]]  # s from the beginning, service
GAP_S = (170.0, 370.0)  # s between two calls of an entry: within the least, all fall asleep
CHANCES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopScenario:
    """A shop, and a day of it."""

    name: str
    shop: Shop
    day_s: float  # s, whole and even
    come: Callable[[np.random.Generator], Arrivals]  # the requests of a day
    entries: tuple[int, ...]  # services that users call


def chains(rounds: int, lengths: tuple[int, ...] = (2, 4, 8)) -> ShopScenario:
    """Chains side by side, each called now and then, all of it asleep every time."""
    services: list[Service] = []
    entries = []
    for n in lengths:
        first = len(services)
        entries.append(first)
        calls = [(Call(to=first + i + 1),) for i in range(n - 1)] + [()]
        services += [Service(name=f"chain-{n}/s{i}", calls=c) for i, c in enumerate(calls)]
    return ShopScenario(
        name="chains",
        shop=Shop(services=tuple(services)),
        day_s=_day(rounds),
        come=_rarely(rounds, tuple(entries)),
        entries=tuple(entries),
    )


def fan(rounds: int) -> ShopScenario:
    """A service that calls others, each with its own chance, seldom or nearly always."""
    calls = tuple(Call(to=i, chance=c) for i, c in enumerate(CHANCES, 1))
    leaves = (Service(name=f"fan/chance-{c:g}") for c in CHANCES)
    services = (Service(name="fan/head", calls=calls), *leaves)
    return ShopScenario(
        name="fan",
        shop=Shop(services=services),
        day_s=_day(rounds),
        come=_rarely(rounds, (0,)),
        entries=(0,),
    )


def saga(rounds: int) -> ShopScenario:
    """A gateway, an orchestrator that answers it later, a queue, and what the queue feeds."""
    gateway, customer, orchestrator, queue, order, account = range(6)
    services = (
        Service(name="saga/gateway", calls=(Call(to=customer),)),
        Service(name="saga/customer", calls=(Call(to=orchestrator),)),
        Service(
            name="saga/orchestrator",
            calls=(Call(to=queue, pause_s=0.1), Call(to=gateway, pause_s=0.5, ends=True)),
        ),
        Service(name="saga/queue", calls=(Call(to=order), Call(to=account))),
        Service(name="saga/order"),
        Service(name="saga/account"),
    )
    return ShopScenario(
        name="saga",
        shop=Shop(services=services),
        day_s=_day(rounds),
        come=_rarely(rounds, (gateway,)),
        entries=(gateway,),
    )


def strangers(rounds: int, pairs: int = 4) -> ShopScenario:
    """Services that have nothing to do with each other, each called now and then."""
    every = tuple(range(2 * pairs))
    return ShopScenario(
        name="strangers",
        shop=Shop(services=tuple(Service(name=f"strangers/s{i}") for i in every)),
        day_s=_day(rounds),
        come=_rarely(rounds, every),
        entries=every,
    )


def market(hours: int, *, rps: float = 3.0, surge_every_s: float = 1800.0) -> ShopScenario:
    """Browsers, some of whom buy: every next page comes after a pause for thought.

    Browsing is steady but for surges: tenfold within a minute, for five minutes, then back.
    """
    product, cart, purchase, payment, recommendation = range(1, 6)
    services = (
        Service(name="market/browse", calls=(Call(to=product, chance=0.5, pause_s=15.0),)),
        Service(
            name="market/product",
            calls=(Call(to=recommendation, chance=0.8), Call(to=cart, chance=0.3, pause_s=30.0)),
        ),
        Service(name="market/cart", calls=(Call(to=purchase, chance=0.4, pause_s=60.0),)),
        Service(name="market/purchase", calls=(Call(to=payment),), work_s=1.0),
        Service(name="market/payment", work_s=2.0),
        Service(name="market/recommendation", work_s=0.2),
    )

    def come(rng: np.random.Generator) -> Arrivals:
        span_s = hours * 3600.0
        begin = np.arange(surge_every_s / 2, span_s, surge_every_s)
        begin += rng.uniform(-0.2, 0.2, len(begin)) * surge_every_s
        at = np.sort(rng.uniform(0.0, span_s, rng.poisson(10 * rps * span_s)))
        kept = rng.uniform(0.0, 10.0, len(at)) < _height(at, begin)
        return [(float(s), 0) for s in at[kept]]

    return ShopScenario(
        name="market",
        shop=Shop(services=services, start_up_s=5.0, slots=2),
        day_s=hours * 3600.0 + 600.0,
        come=come,
        entries=(0,),
    )


def _height(at: FloatArray, begin: FloatArray) -> FloatArray:
    """(n,) how many times the usual rate: 1, up to 10 in a minute, and down after five."""
    since = np.where(begin <= at[:, None], at[:, None] - begin, np.inf)
    up = np.clip(since / 60.0, 0.0, 1.0) - np.clip((since - 300.0) / 60.0, 0.0, 1.0)
    return np.asarray(1.0 + 9.0 * np.nan_to_num(up).max(axis=1, initial=0.0))


def _day(rounds: int) -> float:
    return 2.0 * math.ceil((rounds + 1) * GAP_S[1] / 2)


def _rarely(rounds: int, entries: tuple[int, ...]) -> Callable[[np.random.Generator], Arrivals]:
    def come(rng: np.random.Generator) -> Arrivals:
        times = [(np.cumsum(rng.uniform(*GAP_S, rounds)), entry) for entry in entries]
        return [(float(at), entry) for some, entry in times for at in some]

    return come
