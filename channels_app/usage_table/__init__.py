"""Tables of usage: a row for each channel, account, model or key, its figures in columns, and the same as a file."""
