"""An invented installation in which every state of the pages occurs (`ui.md` 18): `manage.py seed_demo`.

cast.py names who appears, traffic.py what they sent, collection.py how collecting went, seeding.py books it all.
"""
