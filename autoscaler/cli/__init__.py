"""The command `kn-ahead`: `launch` (the controller starts at once) → `main` (all other commands).

`options` is what command lines of all rooms share. `commands` are those that ask a running
autoscaler: `source` finds it, `rest` asks it within limits, `resources` are the kinds of objects
with their columns, `get`, `explain` and `graph` show them (`table`, `words`). May import every part
of this room; finds other rooms' commands by name.
"""
