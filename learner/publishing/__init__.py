"""The learner as a process: `publisher` (the loop), `bundle_server` (HTTP), `metrics`."""
