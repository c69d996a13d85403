"""Keys that verify tokens, and the algorithms that belong to each."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

import jwt
import msgspec

from ..errors import ConfigError

__all__ = ["ALGORITHMS", "ASYMMETRIC", "KEY_BYTES", "FixedKeys", "Key", "Keys", "hmac_key"]

# RFC 7518 §3.2: the key is at least as long as the hash.
KEY_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
ASYMMETRIC: Final = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
ALGORITHMS: Final = (*KEY_BYTES, *ASYMMETRIC)
"""Every algorithm that can be accepted."""


class Key(msgspec.Struct, frozen=True):
    """What verifies a signature. No other algorithm than one of `algorithms` is used with it (RFC 8725 §3.1)."""

    material: Any
    """Bytes of a shared secret, or a public key of `cryptography`."""
    algorithms: frozenset[str]
    id: str | None = None
    """Its `kid`."""

    def __repr__(self) -> str:
        return f"Key({self.id!r}, {sorted(self.algorithms)})"


class Keys(Protocol):
    """Where an authenticator finds the keys for a token."""

    version: int
    """Another number whenever a key has gone: what it signed is verified anew."""

    async def fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys that may have signed a token with this header. Raises `Unavailable` if none are known at all."""

    def at_hand(self, kid: str | None, algorithm: str) -> bool:
        """Whether `fitting` answers without waiting for anybody."""

    async def stop(self) -> None:
        """End what runs in the background."""


class FixedKeys:
    """Keys that the settings name. A token's `kid` is ignored."""

    version = 0

    def __init__(self, keys: Iterable[Key]) -> None:
        self._by_algorithm: dict[str, list[Key]] = {}
        for key in keys:
            for algorithm in key.algorithms:
                self._by_algorithm.setdefault(algorithm, []).append(key)

    async def fitting(self, kid: str | None, algorithm: str) -> Sequence[Key]:
        """The keys of this algorithm."""
        return self._by_algorithm.get(algorithm, ())

    def at_hand(self, kid: str | None, algorithm: str) -> bool:
        """Always."""
        return True

    async def stop(self) -> None:
        """Nothing runs."""


def hmac_key(name: str, key: str | bytes, algorithms: Sequence[str]) -> Key:
    """A shared secret as a key. Raises `ConfigError` that names the setting and not the secret."""
    secret = key.encode() if isinstance(key, str) else bytes(key)
    least = max(KEY_BYTES[algorithm] for algorithm in algorithms)
    if len(secret) < least:
        raise ConfigError(
            f"{name} has {len(secret)} bytes: {', '.join(algorithms)} needs at least {least} random ones, "
            f"for example from `openssl rand -base64 {least}`"
        )
    try:
        material = jwt.get_algorithm_by_name(algorithms[0]).prepare_key(secret)
    except jwt.InvalidKeyError:
        # Anyone with the public key could sign with it (RFC 8725 §2.1).
        raise ConfigError(f"{name} is a PEM or SSH key: it must be a shared secret") from None
    return Key(material, frozenset(algorithms))
