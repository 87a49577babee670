"""The bar above every data page: period, comparison, time zone and filters, read from the address and written to it."""
