"""Past demand in, a forecast bundle out."""
