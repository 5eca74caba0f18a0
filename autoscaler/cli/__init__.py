"""The command `kn-ahead`: `launch` (the controller starts at once) → `main` (all other commands).

`options` is what command lines of all rooms share; `graph_source` and `graph` are the command that
prints dependencies. May import every part of this room; finds other rooms' commands by name.
"""
