"""The first run: who creates the administrator, and which CPA server is read."""
