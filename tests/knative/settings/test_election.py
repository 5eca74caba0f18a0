import pytest

from autoscaler.errors import PermanentError
from knative.settings.election import Election, election

REFUSED = [
    ("buckets", "0"),
    ("buckets", "11"),
    ("buckets", "-1"),
    ("buckets", "1.5"),
    ("buckets", "many"),
    ("buckets", ""),
    ("lease-duration", "60"),
    ("lease-duration", "-60s"),
    ("lease-duration", "999ms"),
    ("lease-duration", "40s"),  # not above the deadline
    ("leaseDuration", "soon"),
    ("renew-deadline", "0s"),
    ("renew-deadline", "60s"),
    ("renewDeadline", "10s"),  # not above the period
    ("retry-period", "0s"),
    ("retry-period", "40s"),
    ("retryPeriod", "10 s"),
]


def test_an_empty_config_is_knatives_defaults() -> None:
    found = election({})
    assert found == Election()
    assert (found.buckets, found.lease_duration_s) == (1, 60.0)
    assert (found.renew_deadline_s, found.retry_period_s) == (40.0, 10.0)


@pytest.mark.parametrize(
    "data",
    [
        {"lease-duration": "30s", "renew-deadline": "20s", "retry-period": "1500ms"},
        {"leaseDuration": "30s", "renewDeadline": "20s", "retryPeriod": "1.5s"},
        {
            "lease-duration": "30s",
            "leaseDuration": "99s",
            "renew-deadline": " 20s\n",
            "retryPeriod": "1.5s",
        },
    ],
    ids=["present names", "legacy names", "present names win"],
)
def test_durations_are_read_under_both_names(data: dict[str, str]) -> None:
    found = election(data)
    assert (found.lease_duration_s, found.renew_deadline_s) == (30.0, 20.0)
    assert found.retry_period_s == 1.5


@pytest.mark.parametrize(("key", "text"), REFUSED)
def test_a_wrong_value_is_refused_by_key_value_and_what_is_allowed(key: str, text: str) -> None:
    with pytest.raises(PermanentError) as refusal:
        election({key: text})
    said = str(refusal.value)
    shown = {"40s", "60s", "10s"} & {text}
    assert "config-leader-election" in said
    assert repr(text) in said or shown
    assert "allowed" in said
    assert "\n" not in said


def test_the_message_tells_which_of_two_is_too_long() -> None:
    with pytest.raises(PermanentError, match="renew-deadline is 60s; allowed: below lease-dur"):
        election({"renew-deadline": "60s"})
    with pytest.raises(PermanentError, match="retry-period is 40s; allowed: below renew-deadline"):
        election({"retry-period": "40s"})


def test_leases_are_named_as_knative_names_them_in_order() -> None:
    assert Election().leases == ("autoscaler-bucket-00-of-01",)
    assert election({"buckets": "10"}).leases[9] == "autoscaler-bucket-09-of-10"
    assert list(Election(buckets=3).leases) == sorted(Election(buckets=3).leases)


def test_the_example_and_keys_of_others_say_nothing() -> None:
    said = {"_example": "buckets: 7", "map-lease-prefix.controller": "mine", "resourceLock": "x"}
    assert election(said) == Election()
