"""Past demand in, a forecast bundle out.

`sources` (Prometheus to demand) → `models` (demand to forecasts) → `selection` (which model answers
for which service) → `engine` (all of it, as one object) → `publishing`. `dependencies` finds edges;
`dependency_search` runs it. Imports `autoscaler`, never `knative` or `benchmarks`.
"""
