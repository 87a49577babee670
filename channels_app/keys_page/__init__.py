"""The API keys page: which clients use it, for what, and what they are called."""
