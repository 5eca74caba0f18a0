"""The WebSocket server that activators connect to, within limits.

`listener` → `handshake` → `connection` (`messages`, `frames`) → `scheduler` (fair turns) →
`server`; `capacity`, `descriptors` and `shared` bound all connections together.
"""
