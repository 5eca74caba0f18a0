"""Cost of the controller: `tick` (CPU), `poke` (delay), `mirror` (memory).

`fake_objects` → `fake_api` (API server) → `processes` (controller and advisor), `fake_cluster` (in
memory); `random_bundle`, `api_load`, `cores` make the load; `recorded_figures` compares.
"""
