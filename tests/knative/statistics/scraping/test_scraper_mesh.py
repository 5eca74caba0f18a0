"""Whether a mesh stands in between, and who is asked then."""

from dataclasses import replace

import pytest

from knative.settings.network import Network
from knative.statistics.scraping.queue_proxy import PORT
from knative.statistics.scraping.scraper import PodStat, Scraper
from tests.knative.statistics.meshed import (
    ADDRESSABLE,
    AWAY,
    BUSY,
    DISABLED,
    ENABLED,
    NOT_A_MESH,
    SERVICE,
    one_of,
    scrape,
)
from tests.knative.statistics.queue_proxies import (
    MESHED,
    Page,
    address_of,
    in_flight,
)


def test_a_mesh_that_is_enabled_means_the_service_alone_is_asked() -> None:
    told = scrape(in_flight(9.0), behind=[one_of("a", 4.0)], networks=[ENABLED])
    assert told.stats == [PodStat(concurrency=4.0, requests=8.0)]
    assert told.pods.asked == []


@pytest.mark.parametrize("page", MESHED.values(), ids=MESHED)
def test_a_mesh_that_is_disabled_means_pods_alone_are_asked(page: Page) -> None:
    told = scrape(page, behind=[one_of("a", 4.0)], networks=[DISABLED])
    assert told.stats == [None]
    assert told.connections == []


@pytest.mark.parametrize("page", MESHED.values(), ids=MESHED)
def test_a_mesh_is_found_out_when_all_pods_answer_as_a_mesh_does(page: Page) -> None:
    told = scrape(page, BUSY, behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [PodStat(concurrency=3.0, requests=6.0)]


@pytest.mark.parametrize("page", NOT_A_MESH.values(), ids=NOT_A_MESH)
def test_one_failure_of_another_kind_is_no_mesh(page: Page | None) -> None:
    told = scrape(page, AWAY, behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [None]
    assert told.connections == []


def test_one_pod_that_answers_is_no_mesh() -> None:
    told = scrape(in_flight(1.0), AWAY, behind=[one_of("a", 1.0), one_of("b", 2.0)])
    assert told.stats == [None]
    assert told.connections == []


def test_once_the_service_has_answered_it_stays() -> None:
    told = scrape(AWAY, behind=[one_of("a", 1.0)], networks=[Network()] * 3)
    assert told.stats == [PodStat(concurrency=1.0, requests=2.0)] * 3
    assert len(told.pods.asked) == 1


def test_while_the_service_has_not_answered_pods_are_asked_first() -> None:
    told = scrape(AWAY, behind=[AWAY], networks=[Network()] * 2)
    assert told.stats == [None, None]
    assert len(told.pods.asked) == 2


def test_a_change_of_config_is_followed_and_what_was_found_out_is_tried_anew() -> None:
    networks = [Network(), Network(), DISABLED, Network()]
    told = scrape(AWAY, behind=[one_of("a", 1.0)], networks=networks)
    there = PodStat(concurrency=1.0, requests=2.0)
    assert told.stats == [there, there, None, there]
    assert len(told.pods.asked) == 3  # found out, disabled, found out again


def test_a_revision_that_went_is_tried_anew() -> None:
    networks = [Network()] * 2

    def forgets(scraper: Scraper) -> None:
        scraper.retain({"shop/till"})

    told = scrape(AWAY, behind=[one_of("a", 1.0)], networks=networks, between=forgets)
    assert len(told.pods.asked) == 2


def test_pods_that_the_mesh_makes_addressable_are_asked_by_their_services_name() -> None:
    told = scrape(in_flight(2.0), behind=[one_of("a", 9.0)], networks=[ADDRESSABLE])
    assert told.stats == [PodStat(concurrency=2.0, requests=4.0)]
    assert told.pods.headers[0]["Host"] == SERVICE
    assert told.pods.headers[0]["Knative-Direct-Lb"] == "true"


def test_pods_are_asked_by_their_address_where_there_is_no_mesh() -> None:
    (headers,) = scrape(in_flight(2.0)).pods.headers
    assert headers["Host"] == f"{address_of(0)}:{PORT}"
    assert "Knative-Direct-Lb" not in headers
    assert headers["Accept"] == "application/protobuf"


def test_addressable_pods_that_refuse_have_no_stand_in() -> None:
    told = scrape(AWAY, behind=[one_of("a", 1.0)], networks=[ADDRESSABLE])
    assert told.stats == [None]
    assert told.connections == []


def test_an_enabled_mesh_has_the_word_over_addressable_pods() -> None:
    both = replace(ENABLED, pods_addressable=True)
    told = scrape(in_flight(9.0), behind=[one_of("a", 1.0)], networks=[both])
    assert told.stats == [PodStat(concurrency=1.0, requests=2.0)]
