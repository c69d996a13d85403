"""Accounts of the example's own: passwords, sign-ins that last, a second factor. What a page asks is in `pages.py`.

An app that has users already needs none of this: it signs an access token as `tokens.py` does, and the chat knows them.
"""
