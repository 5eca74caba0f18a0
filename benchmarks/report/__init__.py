"""Results of a benchmark: `figures` → `plots` → `page` (HTML); `outcome` of a replay; `screen`."""
