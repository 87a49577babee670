"""From raw bytes to booked rows: spool, ledger, rollup, and the small tables that records point to."""
