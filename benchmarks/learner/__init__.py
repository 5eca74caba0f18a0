"""Cost of the learner: `state`, `refresh` (a step) and `restart`, on a `fleet` made up."""
