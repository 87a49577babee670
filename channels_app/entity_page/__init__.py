"""The page of one channel, account, model or client key: its figures, what they are made of, and its last requests."""
