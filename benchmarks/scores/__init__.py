"""Scores: `score` of a simulation, `edge_score` of found edges against the truth."""
