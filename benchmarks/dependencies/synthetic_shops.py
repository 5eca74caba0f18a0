"""Synthetic shops whose services call each other, and their requests, drawn with a seed."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autoscaler.core.types import FloatArray
from benchmarks.simulator.calls import Call, Service, Shop

Arrivals = list[tuple[float, int]]  # s from the beginning of the day, service
GAP_S = (170.0, 370.0)  # s between two requests of an entry; within the least, all scale to zero
PROBABILITIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopScenario:
    """A shop and the requests of a day."""

    name: str
    shop: Shop
    day_s: float  # s, whole and even
    draw_arrivals: Callable[[np.random.Generator], Arrivals]  # of a day
    entries: tuple[int, ...]  # services that users call


def chains(rounds: int, lengths: tuple[int, ...] = (2, 4, 8)) -> ShopScenario:
    """Independent chains, each called rarely and at zero whenever it is."""
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
        day_s=_day_s(rounds),
        draw_arrivals=_sparse_arrivals(rounds, tuple(entries)),
        entries=tuple(entries),
    )


def fan(rounds: int) -> ShopScenario:
    """A service that calls eight others, each with its own probability from 0.02 to 0.9."""
    calls = tuple(Call(to=i, probability=p) for i, p in enumerate(PROBABILITIES, 1))
    leaves = (Service(name=f"fan/p-{p:g}") for p in PROBABILITIES)
    services = (Service(name="fan/head", calls=calls), *leaves)
    return ShopScenario(
        name="fan",
        shop=Shop(services=services),
        day_s=_day_s(rounds),
        draw_arrivals=_sparse_arrivals(rounds, (0,)),
        entries=(0,),
    )


def saga(rounds: int) -> ShopScenario:
    """A gateway, an orchestrator that replies to it later, a queue, and the queue's consumers."""
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
        day_s=_day_s(rounds),
        draw_arrivals=_sparse_arrivals(rounds, (gateway,)),
        entries=(gateway,),
    )


def unrelated(rounds: int, pairs: int = 4) -> ShopScenario:
    """Services without calls between them, each called rarely."""
    every = tuple(range(2 * pairs))
    return ShopScenario(
        name="unrelated",
        shop=Shop(services=tuple(Service(name=f"unrelated/s{i}") for i in every)),
        day_s=_day_s(rounds),
        draw_arrivals=_sparse_arrivals(rounds, every),
        entries=every,
    )


def market(hours: int, *, rps: float = 3.0, surge_every_s: float = 1800.0) -> ShopScenario:
    """Users who browse, and some of whom buy; each next page follows after a pause.

    Browsing is steady except for surges: tenfold within a minute, for five minutes, then back.
    """
    product, cart, purchase, payment, recommendation = range(1, 6)
    services = (
        Service(name="market/browse", calls=(Call(to=product, probability=0.5, pause_s=15.0),)),
        Service(
            name="market/product",
            calls=(
                Call(to=recommendation, probability=0.8),
                Call(to=cart, probability=0.3, pause_s=30.0),
            ),
        ),
        Service(name="market/cart", calls=(Call(to=purchase, probability=0.4, pause_s=60.0),)),
        Service(name="market/purchase", calls=(Call(to=payment),), work_s=1.0),
        Service(name="market/payment", work_s=2.0),
        Service(name="market/recommendation", work_s=0.2),
    )

    def draw_arrivals(rng: np.random.Generator) -> Arrivals:
        span_s = hours * 3600.0
        begin = np.arange(surge_every_s / 2, span_s, surge_every_s)
        begin += rng.uniform(-0.2, 0.2, len(begin)) * surge_every_s
        at = np.sort(rng.uniform(0.0, span_s, rng.poisson(10 * rps * span_s)))
        accepted = rng.uniform(0.0, 10.0, len(at)) < _surge_factor(at, begin)
        return [(float(s), 0) for s in at[accepted]]

    return ShopScenario(
        name="market",
        shop=Shop(services=services, start_up_s=5.0, slots=2),
        day_s=hours * 3600.0 + 600.0,
        draw_arrivals=draw_arrivals,
        entries=(0,),
    )


def _surge_factor(at: FloatArray, begin: FloatArray) -> FloatArray:
    """(n,) factor on the base rate: 1, rising to 10 within a minute, back to 1 after five."""
    since = np.where(begin <= at[:, None], at[:, None] - begin, np.inf)
    up = np.clip(since / 60.0, 0.0, 1.0) - np.clip((since - 300.0) / 60.0, 0.0, 1.0)
    return np.asarray(1.0 + 9.0 * np.nan_to_num(up).max(axis=1, initial=0.0))


def _day_s(rounds: int) -> float:
    return 2.0 * math.ceil((rounds + 1) * GAP_S[1] / 2)


def _sparse_arrivals(
    rounds: int, entries: tuple[int, ...]
) -> Callable[[np.random.Generator], Arrivals]:
    def draw_arrivals(rng: np.random.Generator) -> Arrivals:
        times = [(np.cumsum(rng.uniform(*GAP_S, rounds)), entry) for entry in entries]
        return [(float(at), entry) for some, entry in times for at in some]

    return draw_arrivals
