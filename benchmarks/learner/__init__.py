"""Cost of the learner: `state` (a step, and the features of a refresh), on a `fleet` made up."""
