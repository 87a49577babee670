"""The Models page: which models are used, how fast they are, and what they cost."""
