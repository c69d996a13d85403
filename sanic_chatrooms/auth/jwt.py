"""Users by JSON Web Tokens (RFC 7519) that the app's own login or an identity provider signs."""

import importlib
from collections.abc import Sequence
from typing import Any, Final

from ..errors import ConfigError, Unauthenticated
from ..models import Credentials, Handshake, User
from .base import Authenticator
from .claims import amr_of, check_times, check_use, proof_id, scopes_of, time_of, user_id
from .jwks import Jwks
from .keys import ALGORITHMS, ASYMMETRIC, KEY_BYTES, FixedKeys, Key, Keys, hmac_key
from .names import shown_name
from .tokens import Refused, issuer_of, read_header, type_of, verify
from .verdicts import Verdicts

__all__ = ["JWTAuth"]

_ACCESS_TYPES: Final = frozenset(("", "jwt", "at+jwt"))


class JWTAuth(Authenticator):
    """Accepts access tokens that one of these signed: `key`, a secret shared with the issuer; `public_key`, PEM text with
    one or more public keys or certificates; or the keys that an identity provider publishes at `jwks_url`.

    `algorithms`: HS256, HS384, HS512 with `key` (by default HS256); RS, PS and ES with 256, 384, 512 and EdDSA with public
    keys (by default all). An algorithm is accepted only with a key of its own type and curve. `previous_key` is accepted
    beside `key`, so that you can change the key without signing users out.

    `audience`, `issuer`: one value or several, of which a token must have one. Without `audience`, a token with an `aud` is
    refused, because it is meant for another service (RFC 7519 §4.1.3). Without `issuer`, any issuer is accepted.
    `required_amr`: how users must have signed in (`["mfa"]`, RFC 8176); a token must name all of it in `amr`. `leeway`:
    seconds, 0 to 60, by which the issuer's clock may be off.

    A token must have `exp` and the user claim; `iat` and `nbf` are checked if they are there. The header's `typ` is
    absent, `JWT` or `at+jwt` (RFC 9068). A token with `crit` is refused. `jku`, `jwk`, `x5u` and `x5c` are ignored, and so
    is `kid` except with `jwks_url`. Scopes come from `scope` (a string, RFC 8693 §4.2) and `scopes` (a list).

    `jwks_url` is `https:`, or `http:` to this machine. Its keys are fetched when the first token arrives, in the
    background every ten minutes, and when a token names an unknown key, at most once in 30 seconds unless the key is found.
    While the provider does not answer, known keys are good for 24 hours.

    Raises `ConfigError` for keys shorter than the hash (32, 48, 64 bytes; RFC 7518 §3.2), for RSA keys under 2048 bits, for
    algorithms that do not fit the key, and where public keys need `pip install "sanic-chatrooms[crypto]"`.
    """

    def __init__(
        self,
        key: str | bytes | None = None,
        *,
        previous_key: str | bytes | None = None,
        public_key: str | bytes | None = None,
        jwks_url: str | None = None,
        algorithms: Sequence[str] | None = None,
        audience: str | Sequence[str] | None = None,
        issuer: str | Sequence[str] | None = None,
        required_amr: str | Sequence[str] | None = None,
        leeway: float = 10.0,
        user_claim: str = "sub",
        name_claim: str = "name",
    ) -> None:
        if [key, public_key, jwks_url].count(None) != 2:
            raise ConfigError(
                "JWTAuth needs exactly one of key, public_key and jwks_url; Chain(JWTAuth(…), JWTAuth(…)) accepts tokens "
                "of several issuers"
            )
        if previous_key is not None and key is None:
            raise ConfigError("JWT_PREVIOUS_SECRET is of use only beside JWT_SECRET")
        self._algorithms = _checked_algorithms(algorithms, symmetric=key is not None)
        if not 0 <= leeway <= 60:
            raise ConfigError(f"JWT_LEEWAY is {leeway}: it must be 0 to 60 seconds")
        self.audience = _one_or_more("JWT_AUDIENCE", audience)
        self._issuer = _one_or_more("JWT_ISSUER", issuer)
        self._required_amr = _one_or_more("REQUIRED_AMR", required_amr) or ()
        self.leeway = leeway
        self.user_claim, self._name_claim = user_claim, name_claim
        self._verdicts = Verdicts() if key is None else None
        self._keys = self._made_keys(key, previous_key, public_key, jwks_url)

    def _made_keys(
        self,
        key: str | bytes | None,
        previous: str | bytes | None,
        public: str | bytes | None,
        url: str | None,
    ) -> Keys:
        if key is not None:
            keys = [hmac_key("JWT_SECRET", key, self._algorithms)]
            if previous is not None:
                keys.append(hmac_key("JWT_PREVIOUS_SECRET", previous, self._algorithms))
            return FixedKeys(keys)
        public_keys = _public_keys()
        if public is not None:
            fixed: list[Key] = public_keys.pem_keys("JWT_PUBLIC_KEY", public, self._algorithms)
            return FixedKeys(fixed)
        assert url is not None
        accepted = frozenset(self._algorithms)
        return Jwks(url, lambda entries: public_keys.jwk_keys(entries, accepted))

    def __repr__(self) -> str:
        return f"JWTAuth(algorithms={self._algorithms}, audience={self.audience}, issuer={self._issuer})"

    async def authenticate(self, credentials: Credentials, handshake: Handshake) -> User:
        """The user of `credentials.token`. `expires_at` is the token's `exp`, `claims` has all of its claims.

        Raises `TokenExpired` for a token that was valid once, `Unauthenticated` for any other, and `Unavailable` while no
        key of the provider is known. No message contains the token.
        """
        token = credentials.token
        known = self._verdicts.get(token, self._keys.version) if self._verdicts and token else None
        if known is not None:
            check_times(known.claims, self.leeway)
            return known
        header = read_header(token)
        assert token is not None
        claims = await self.verified(token, header, _ACCESS_TYPES, self.audience)
        user = self._user_of(claims)
        if self._verdicts is not None:
            self._verdicts.put(token, self._keys.version, user, float(claims["exp"]) + self.leeway)
        return user

    def is_quick(self, token: str) -> bool:
        """Whether it can be said of this token at once if it is accepted, without asking the identity provider."""
        try:
            header = read_header(token)
        except Unauthenticated:
            return True
        algorithm = header.get("alg")
        return algorithm not in self._algorithms or self._keys.at_hand(header.get("kid"), algorithm)

    async def verified(
        self, token: str, header: dict[str, Any], types: frozenset[str], audience: Sequence[str] | None
    ) -> dict[str, Any]:
        """The claims of a token of one of these types for this audience; times are not checked. Raises as `authenticate`."""
        if type_of(header) not in types:
            raise Refused("the token's typ is not one that is accepted here; send an access token")
        algorithm = header.get("alg")
        if algorithm not in self._algorithms:
            raise Refused("the token's algorithm is not accepted here")
        if self._issuer is not None and issuer_of(token) not in self._issuer:
            # Before any key is asked for: nobody else's tokens make this server ask its provider.
            raise Refused("the token comes from another issuer (iss)")
        keys = await self._keys.fitting(header.get("kid"), algorithm)
        return verify(token, header, keys, audience=audience, issuer=self._issuer)

    def _user_of(self, claims: dict[str, Any]) -> User:
        check_use(claims)
        id = user_id(claims, self.user_claim)
        check_times(claims, self.leeway)
        user = User(
            id=id,
            # A name that cannot be shown is no reason to refuse the user.
            name=shown_name(claims.get(self._name_claim), id),
            scopes=scopes_of(claims),
            expires_at=float(claims["exp"]),
            claims=claims,
            amr=amr_of(claims),
            jti=proof_id(claims, "jti"),
            sid=proof_id(claims, "sid"),
            issued_at=time_of(claims, "iat"),
        )
        if self._required_amr and not set(self._required_amr) <= set(user.amr):
            raise Refused(f"the token's amr lacks some of {', '.join(self._required_amr)}", final=True)
        return user

    async def stop(self) -> None:
        """Stop asking the identity provider."""
        await self._keys.stop()


def _public_keys() -> Any:
    # Loaded where it is needed: not every app installs `cryptography`.
    try:
        return importlib.import_module("sanic_chatrooms.auth.public_keys")
    except ImportError as exc:
        raise ConfigError(f'public keys of tokens: {exc}; pip install "sanic-chatrooms[crypto]"') from exc


def _checked_algorithms(algorithms: Sequence[str] | None, *, symmetric: bool) -> tuple[str, ...]:
    takes = tuple(KEY_BYTES) if symmetric else ASYMMETRIC
    if algorithms is None:
        return takes[:1] if symmetric else takes
    chosen = (algorithms,) if isinstance(algorithms, str) else tuple(algorithms)
    if not chosen or any(algorithm not in takes for algorithm in chosen):
        kind = "a shared secret" if symmetric else "public keys"
        # A public key is no secret: with HS256 anybody could sign with it (RFC 8725 §2.1).
        other = (
            " (HS256, HS384, HS512 need a secret)"
            if any(one in ALGORITHMS for one in chosen) and not symmetric
            else ""
        )
        raise ConfigError(
            f"JWT_ALGORITHMS is {list(chosen)}: with {kind} it must be one or more of {', '.join(takes)}{other}"
        )
    return tuple(dict.fromkeys(chosen))


def _one_or_more(name: str, value: str | Sequence[str] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    values = (value,) if isinstance(value, str) else tuple(value)
    if not values or not all(values):
        raise ConfigError(f"{name} is empty: leave it out, or name at least one")
    return values
