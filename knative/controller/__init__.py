"""The controller: keeps every PodAutoscaler of ours scaled, whatever else goes on.

`runtime` (caches, sockets and timers make events) → `state` (events to instructions; pure) →
`runtime` (instructions are carried out). May import the core, the exchange and the rest of this
room but its advisor, and of packages only numpy, protobuf, websockets, aiohttp and kubernetes.
"""
