"""Figures and charts of one scope: what the Overview, and the page of one channel, account, model or key, have in common."""
