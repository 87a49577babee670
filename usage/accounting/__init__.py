"""The heart: what a record means and costs. Pure functions, without Django and without I/O."""
