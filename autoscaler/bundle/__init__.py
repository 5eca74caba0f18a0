"""The file in which the learner hands forecasts and edges to the advisor: format, limits, checks.

It imports the core, limits and signing, and nothing of the learner.
"""
