"""A rate as operators write it: "10/s burst 30", "10/min", "20/h", "256 KiB/s burst 2 MiB"."""

import re

import msgspec

__all__ = ["HIGHEST", "Rate", "parse_rate"]

HIGHEST = 1e12
"""The highest rate per second, and the largest burst."""
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_TIMES = {"": 1, "kib": 1024, "mib": 1024 * 1024}
_NUMBER = r"(\d+(?:\.\d+)?)(?:\s*(KiB|MiB))?"
_FORM = re.compile(rf"{_NUMBER}\s*/\s*(s|min|h|d)(?:\s+burst\s+{_NUMBER})?", re.IGNORECASE)


class Rate(msgspec.Struct, frozen=True):
    """So many a second in the long run, and so many at once."""

    per_second: float
    burst: float
    text: str
    """As it was written."""

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    @property
    def interval(self) -> float:
        """Seconds after which one more may follow."""
        return 1.0 / self.per_second

    def times(self, factor: float) -> "Rate":
        """A rate and a burst that are so many times as high."""
        return Rate(self.per_second * factor, self.burst * factor, f"{factor:g} times {self.text}")


def parse_rate(text: str) -> Rate:
    """The rate of a text. Without `burst`, as many may come at once as the text has before the slash. Raises `ValueError`."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("no rate")
    number, unit, per, burst, burst_unit = found.groups()
    count = float(number) * _TIMES[(unit or "").lower()]
    most = count if burst is None else float(burst) * _TIMES[(burst_unit or "").lower()]
    per_second = count / _SECONDS[per.lower()]
    if not 0 < per_second <= HIGHEST or not 1 <= most <= HIGHEST:
        raise ValueError("too small" if per_second <= 0 or most < 1 else "too large")
    return Rate(per_second, most, " ".join(text.split()))
