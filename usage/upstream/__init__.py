"""The client of CPA's management API."""
