"""The dependency graph as SVG: `layout` (places) → `picture` (drawing)."""
