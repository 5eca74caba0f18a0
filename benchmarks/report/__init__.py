"""What a benchmark found, for people: `figures`, `plots` → `page` (HTML), `outcome`, `screen`."""
