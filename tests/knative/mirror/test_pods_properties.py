from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from knative.mirror.objects import Pod
from knative.mirror.pods import Pods

STATES = ("ready", "unready", "pending", "terminating", "other")
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["shop/a", "shop/b", "shop/c"]),
        st.sampled_from(["shop/cart", "shop/till"]),
        st.sampled_from((*STATES, "gone")),
    ),
    max_size=40,
)


def a_pod(revision: str, state: str) -> Pod:
    return Pod(
        revision=revision,
        state=state,
        address="",
        created_s=1.0,
        started_s=2.0,
        ready_s=3.0 if state == "ready" else 0.0,
    )


@settings(deadline=None)
@given(EVENTS)
def test_counting_as_pods_change_is_counting_them_anew(events: list[tuple[str, str, str]]) -> None:
    pods, held, ready_once = Pods(), dict[str, Pod](), set[str]()
    for key, revision, state in events:
        if state == "gone":
            former = held.pop(key, None)
            ready_once.discard(key)
            assert pods.drop(key) == (former.revision if former else "")
        else:
            held[key] = a_pod(revision, state)
            first = state == "ready" and key not in ready_once
            assert pods.put(key, held[key]) is first
            ready_once |= {key} if first else set()
        for name in ("shop/cart", "shop/till"):
            mine = [pod for pod in held.values() if pod.revision == name]
            states = Counter(pod.state for pod in mine)
            counts = pods.counts(name)
            assert {s: counts.get(s, 0) for s in STATES} == {s: states[s] for s in STATES}
            assert len(pods.ready(name)) == states["ready"]


@settings(deadline=None)
@given(EVENTS)
def test_of_pods_that_all_went_nothing_is_kept(events: list[tuple[str, str, str]]) -> None:
    pods = Pods()
    for key, revision, state in events:
        if state != "gone":
            pods.put(key, a_pod(revision, state))
    for key in ("shop/a", "shop/b", "shop/c"):
        pods.drop(key)
    assert not any(vars(pods).values())
