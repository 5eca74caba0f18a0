"""The WebSocket server that activators connect to, within limits.

`listener` → `handshake` → `connection` (`messages`, `frames`) → `scheduler` (each its turn) →
`server`; `capacity`, `descriptors` and `shared` bound all connections together.
"""
