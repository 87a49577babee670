"""The Records page: what was asked and answered, one attempt a row, and all that is known of one of them."""
