"""The controller: scales the revision of every PodAutoscaler of our classes.

`runtime` (caches, sockets and timers make events) → `state` (events to instructions; pure) →
`runtime` (instructions are carried out). May import the core, the exchange, all of
`knative` but its advisor, and numpy, protobuf, websockets, aiohttp and kubernetes.
"""
