"""The Prices page: what tokens cost, which models have no price, and which price a request has (`ui.md` 11.10)."""
