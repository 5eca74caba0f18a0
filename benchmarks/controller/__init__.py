"""What the controller costs: `tick` (CPU), `poke` (delay), `mirror` (memory).

`made_objects` → `made_api`, `made_cluster` → `processes`: an API server and a fleet made for it.
"""
