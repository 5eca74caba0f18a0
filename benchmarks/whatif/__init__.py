"""What if kn-ahead had run here? Answered from a Prometheus alone, with nothing installed.

Requests that were counted there, and pods that were missed (`request_reader`, `presence_reader` of
`learner.sources`) → `past` (as a trace), `coverage` (who is missing), `accuracy` (how exact such
counts are) → the replay, which learns from the earlier part and simulates the later one → `verdict`
(what would have been gained, for how much, and for whom) → `answer` (in words) → `run` (all of it,
on the screen and in a report). To try it without a cluster: `made_fleet`, as Knative and others
export it (`exporters`, `exposition`); `sources` measures what each of them costs in accuracy.
"""
