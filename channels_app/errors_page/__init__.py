"""The Errors page: what failed, how often, for whom, and what upstream said."""
