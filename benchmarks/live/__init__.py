"""A benchmark on a real cluster with Knative: several policies at once, on copies of one service.

`policies`, `kinds` (of traffic, in compressed time) and `copies` (a kind under a policy) say what
is compared → `services`, `learning` (manifests) → `rights` → `cluster` (makes all, and removes it)
→ `load` (requests at their times, whatever comes of them) and `pods` (what became of each pod) →
`run` (all of it) → `outcome` (of a request) → `scores` (with intervals over rounds) → `tables`,
`report` (as a page), `record` (as JSON). `starts` asks how many starts a second the cluster takes.
"""
