"""Reads demand, activity and edges from Prometheus, within limits.

`bounded_http` → `queries` (range queries in pieces) → `counters` (samples to series by
step) → `quarantine` (samples that cannot be) → `demand_reader`, `activity_reader`, `upstreams`,
`istio`. `remembered` makes any of demand ask for what is new only. `request_reader` reads what
others than we have counted, as `presets` declare it, `presence_reader` whose pods were missed.
Imports `demand`, `status` and the values of `dependencies`.
"""
