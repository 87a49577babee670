"""Prices as people meet them: the API, its shapes, the CSV file, the form, and which price a request has."""
