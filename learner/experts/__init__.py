"""Several models, mixed by what came of their forecasts.

`recency` (how often a level was needed after so long a pause: keep-alives of all lengths) and
`mixture` (how much each model counts, service by service) → `model`, which answers as one.
"""
