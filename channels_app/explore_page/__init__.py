"""Explore: any metric, by anything, in any interval, as a chart and as a table."""
