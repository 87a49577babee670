"""The Settings page (`ui.md` 11.12): a section for each topic, each at its own address and saved for itself."""
