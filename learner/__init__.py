"""Past demand in, a forecast bundle out.

`sources` (Prometheus to demand) → `models` (demand to forecasts) → `calibration` (by what came) →
`engine` (all of it, as one object; `bisection` finds who makes it fail) → `publishing`. `state`
carries what models ask of the past from step to step. `dependencies` finds edges;
`dependency_search` runs it. Imports `autoscaler`, never `knative` or `benchmarks`.
"""
