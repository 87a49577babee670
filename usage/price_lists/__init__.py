"""Price lists that others publish: read, compared with the prices that are here, and applied once accepted."""
