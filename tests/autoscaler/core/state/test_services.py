"""Services: rows that come and go with their revisions, and what is counted of each."""

from autoscaler.core.state.services import BOUNDS_S, PARTS, Services


def test_a_service_is_there_while_it_has_a_revision() -> None:
    services = Services()
    assert [services.join(key) for key in ("shop/cart", "shop/mail", "shop/cart")] == [0, 1, 0]
    assert not services.leave(0)
    assert services.leave(0)
    assert services.keys == ["shop/mail"]
    assert services.row("shop/mail") == 0
    assert "shop/cart" not in services


def test_starts_of_pods_are_counted_by_part() -> None:
    services = Services()
    row = services.join("shop/cart")
    services.note_start(row, "scheduled", 0.5)
    services.note_start(row, "ready", 2.0)
    services.note_start(row, "ready", 3.0)
    assert dict(zip(PARTS, services.starts[:, row].tolist(), strict=True)) == {
        "scheduled": 1,
        "started": 0,
        "ready": 2,
        "total": 0,
    }
    assert services.starts_s[PARTS.index("ready"), row] == 5.0


def test_drains_are_counted_by_service() -> None:
    services = Services()
    services.join("shop/cart")
    row = services.join("shop/mail")
    services.note_drain(row, 30.5)
    services.note_drain(row, 40.0)
    assert services.drains.tolist() == [0, 2]
    assert services.drains_s.tolist() == [0.0, 70.5]


def test_scrapes_are_counted_by_duration() -> None:
    services = Services()
    row = services.join("shop/cart")
    for seconds in (0.001, 0.005, 60.0):  # a bound belongs to its bucket
        services.note_scrape(row, seconds)
    counts = services.scrapes[:, row].tolist()
    assert (counts[0], counts[-1], sum(counts), len(counts)) == (2, 1, 3, len(BOUNDS_S) + 1)
    assert services.scrapes_s[row] == 60.006
