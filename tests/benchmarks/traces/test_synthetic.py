import numpy as np

from benchmarks.simulator.arrivals import draw, measure
from benchmarks.traces.synthetic import MINUTES_A_DAY, synthetic_shop
from learner.dependencies.count_search import edges_in_counts


def test_a_shop_has_as_many_days_of_minutes_as_asked_for() -> None:
    shop = synthetic_shop(3)
    assert shop.counts.shape == (10, 3 * MINUTES_A_DAY)
    assert (shop.start_s, shop.step_s, shop.kind) == (0.0, 60.0, "counts")
    assert all(name.startswith("shop/") for name in shop.services)


def test_the_same_seed_makes_the_same_shop() -> None:
    np.testing.assert_array_equal(
        synthetic_shop(1, seed=3).counts, synthetic_shop(1, seed=3).counts
    )
    assert not np.array_equal(synthetic_shop(1, seed=3).counts, synthetic_shop(1, seed=4).counts)


def test_people_come_by_day_and_less_at_the_weekend() -> None:
    shop = synthetic_shop(7)
    browse = shop.counts[shop.services.index("shop/browse")].reshape(7, 24, 60).sum(axis=2)
    assert browse[:5, 14].min() > 10 * browse[:5, 2].max()
    assert browse[5:].sum(axis=1).max() < browse[:5].sum(axis=1).min()


def test_fewer_buy_than_fill_a_cart_than_browse() -> None:
    shop = synthetic_shop(2)
    browse, cart, purchase, mailer = shop.counts[:4].sum(axis=1)
    assert 0.2 < cart / browse < 0.3
    assert 0.35 < purchase / cart < 0.45
    assert 0.75 < mailer / purchase < 0.85


def test_the_chain_is_found_in_its_true_direction_and_nothing_else() -> None:
    shop = synthetic_shop(14)
    demand = measure(draw(shop, service_s=0.2, seed=0), shop, step_s=shop.step_s, capacity=1.0)
    edges = edges_in_counts(demand)
    found = {
        (edges.services[up], edges.services[down]): (lag_s, direct)
        for up, down, lag_s, direct in zip(
            edges.upstream, edges.downstream, edges.lag_s, edges.direct, strict=True
        )
    }
    chain = ("shop/browse", "shop/cart", "shop/purchase", "shop/mailer")
    assert {pair: lag_s for pair, (lag_s, direct) in found.items() if direct} == {
        chain[:2]: 60.0,
        chain[1:3]: 120.0,
        chain[2:]: 60.0,
    }
    assert all(chain.index(up) < chain.index(down) for up, down in found)


def test_a_shop_that_opens_at_nine_is_called_as_at_nine() -> None:
    nine_s = 9 * 3600.0
    shop = synthetic_shop(7, start_s=20_000 * 86_400 + nine_s)
    browse, *_, admin, _ = shop.counts.reshape(10, 7, 24, 60).sum(axis=3)
    assert set(browse[:5].argmax(axis=1)) <= {13 - 9, 14 - 9}
    assert admin[:, :8].sum() > 0 == admin[:, 8:].sum()


def test_timers_come_to_the_minute() -> None:
    shop = synthetic_shop(2)
    minutes = {
        name: np.flatnonzero(shop.counts[shop.services.index(f"shop/{name}")])
        for name in ("report", "sync", "invoices")
    }
    assert minutes["report"].tolist() == [120, 121, 122, 1560, 1561, 1562]
    assert (np.diff(minutes["sync"]) == 5).all()
    assert (minutes["invoices"] % 60 == 7).all()


def test_the_office_is_closed_at_night_and_at_the_weekend() -> None:
    shop = synthetic_shop(7)
    admin = shop.counts[shop.services.index("shop/admin")].reshape(7, 24, 60)
    assert admin[:5, 9:17].sum() > 0
    assert admin[:, :9].sum() + admin[:, 17:].sum() + admin[5:].sum() == 0
