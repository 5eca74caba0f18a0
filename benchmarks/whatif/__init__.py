"""What if kn-ahead had run here? Answered from a Prometheus alone, with nothing installed.

Requests that were counted there (`learner.sources.request_reader`) → `past` (as a trace) → the
replay, which learns from the earlier part and simulates the later one → `verdict` (what would have
been gained, for how much, and for whom) → `answer` (in words) → `run` (all of it, on the screen and
in a report). To try it without a cluster: `made_fleet`, as Knative exports it (`exposition`).
"""
