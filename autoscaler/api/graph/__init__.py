"""The dependency graph as SVG: `layout` (where) → `picture` (how). Loads nothing from elsewhere."""
