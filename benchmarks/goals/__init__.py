"""Whether forecasts and decisions reach what was promised, on made services and recorded traces.

`workloads`, `made_workloads` (requests and their demand) → `walk_forward` (forecasts, each from the
past alone) → `simulated` (what policies spend and miss with them) → `coverage`, `price`,
`keep_alives` and others, of which `command` makes commands. Intervals are by
`benchmarks.scores.resampling`.
"""
