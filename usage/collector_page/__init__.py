"""The Collector page: how collection goes, what is missing, and what can be done about it (`ui.md` 11.11)."""
