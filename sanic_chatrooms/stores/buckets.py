"""Token buckets as one number each: the time at which the bucket is full again (GCRA)."""

__all__ = ["taken"]

ROUNDING = 1e-6
"""Seconds: times are floats."""


def taken(full_at: float | None, now: float, rate: float, burst: int) -> tuple[float, float]:
    """Take a token from a bucket that is full at `full_at` (None: already). -> when it is full then, and 0.0; or
    unchanged, and the seconds until there is a token."""
    full = max(full_at or 0.0, now)
    wait = full + 1 / rate - now - burst / rate
    return (full, wait) if wait > ROUNDING else (full + 1 / rate, 0.0)
