"""The past of all pod levels, carried from step to step instead of read anew.

`ring` (need of late), `runs` (idle times), `periods` → `level_state` → `stepping` (a step on, or
all steps of new demand), `fill` (from history) → `features` (what models ask), `file`. Time is
counted in steps since the state began; what is older than its window, 14 days of minutes, is
forgotten. Imports `models`, whose columns it fills.

A state of n services takes some 40 KB a service and 1.2 KB for each level needed within the window.
"""
