"""The Overview: is it working, how much, what does it cost, who uses it?"""
