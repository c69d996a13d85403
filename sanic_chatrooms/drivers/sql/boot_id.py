"""Which start of the machine this is, where the system says so (Linux)."""

from pathlib import Path

from ...errors import ConfigError

__all__ = ["BOOT_ID", "present_boot", "require_boot_id"]

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def present_boot() -> str | None:
    """The id of this start; None where the system has none."""
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else None


def require_boot_id() -> None:
    """Raise `ConfigError` where the system does not say."""
    if not BOOT_ID.exists():
        raise ConfigError(
            "synchronous=normal needs a system that numbers its starts (Linux). Elsewhere nobody would learn that a "
            "power failure took messages back; leave it at full"
        )
