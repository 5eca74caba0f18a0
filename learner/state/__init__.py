"""The past of all pod levels, carried from step to step instead of read anew.

`ring` (need of late), `runs` (idle times), `periods` → `level_state` → `stepping` (a step on, or
all steps of new demand), `fill` (from history) → `features` (what models ask), `file`. Time is
counted in steps since the state began; what is older than its window, 14 days of minutes, is
forgotten. Imports `models`, whose columns it fills.

A service takes 40 KB in the ring, which states share, and 1.2 KB for each level that it needed
within the window. Late samples are taken in by advancing from a state kept from some steps ago,
with demand since: at 10,000 services each state kept takes some 45 MB, each step made again 35 ms.
Services that come or go have the ring copied.
"""
