"""Statistics of activators and queue-proxies, and who may report them.

`port` (the socket) → `peers` (who may report) → `decode` (bytes to arrays) or `forward` (to the
leader); `scraping` asks pods; `wire` is the protocol. Imports `settings` and the API client.
"""
