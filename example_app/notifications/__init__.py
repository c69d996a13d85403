"""Notifications by Web Push, for what comes to people while they are not connected."""
