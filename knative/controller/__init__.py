"""The controller: keeps every PodAutoscaler of ours scaled, whatever else goes on.

`controller` is a state machine from events to instructions; the other modules are its two ends: the
caches, sockets, scrapes and leases that events come from, and who carries instructions out. May
import the core, the exchange and the mirror of the cluster, and of packages only numpy, protobuf,
websockets, aiohttp and kubernetes.
"""
