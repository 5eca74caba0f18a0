"""Scores: `score` of a simulation, `edge_score` of found edges; intervals by `resampling`."""
