"""`check`: what is wrong with a deployment, step by step from the name to the clock, and what to do about it."""
