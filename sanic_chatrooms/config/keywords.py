"""The settings as keyword arguments, for type checkers and editors. `settings` describes each of them."""

from collections.abc import Collection
from typing import TypedDict

from ..auth.base import Authenticator
from ..brokers.base import Broker
from ..presence.base import Presence
from ..stores.base import Store

__all__ = ["InstanceSettings", "RouteSettings", "RunTimeSettings"]


class InstanceSettings(TypedDict, total=False):
    """Keywords of `ChatRooms` and `connect`: all settings. None is the same as leaving the keyword out."""

    store: Store | str | None
    broker: Broker | str | None
    presence: Presence | str | None
    embedded_dir: str | None
    namespace: str | None
    store_timeout: float | None
    auth: Authenticator | str | None
    guests: bool | None
    reserved_names: Collection[str] | None
    guest_secret: str | None
    jwt_secret: str | None
    jwt_previous_secret: str | None
    jwt_algorithms: Collection[str] | None
    jwt_public_key: str | None
    jwt_jwks_url: str | None
    jwt_audience: str | None
    jwt_issuer: str | None
    jwt_leeway: float | None
    jwt_user_claim: str | None
    jwt_name_claim: str | None
    revocation_ttl: float | None
    required_amr: Collection[str] | None
    token_cookie: str | None
    token_query: str | bool | None
    tickets: bool | None
    ticket_ttl: float | None
    oidc_logout: str | bool | None
    auth_timeout: float | None
    allowed_origins: Collection[str] | None
    page: bool | None
    sign_in_url: str | None
    api: bool | None
    auto_create: bool | None
    guests_create_rooms: bool | None
    client_room_ids: bool | None
    direct: str | None
    reserved_ids: Collection[str] | None
    max_rooms: int | None
    max_direct_rooms: int | None
    receipts: bool | None
    unread_types: Collection[str] | None
    max_members: int | None
    history_max: int | None
    retention: float | None
    erase_within: float | None
    search_language: str | None
    history_page: int | None
    recovery_limit: int | None
    dedup_window: float | None
    position_check: float | None
    heartbeat_interval: float | None
    heartbeat_timeout: float | None
    max_frame: int | None
    max_text: int | None
    max_stream: int | None
    max_publish: int | None
    max_json_depth: int | None
    max_bad_frames: int | None
    outbox_limit: int | None
    max_rooms_per_connection: int | None
    max_connections: int | None
    max_connections_per_user: int | None
    max_connections_per_ip: int | None
    rate_limits: bool | None
    rate_message: str | None
    rate_change: str | None
    rate_live: str | None
    rate_read: str | None
    rate_join: str | None
    rate_create: str | None
    rate_new_people: str | None
    rate_auth: str | None
    rate_bytes: str | None
    overload_lag: float | None
    presence_ttl: float | None
    presence_grace: float | None
    drain_seconds: float | None
    metrics: bool | None
    metrics_token: str | None
    admin: bool | str | None
    tracing: bool | None
    watchdog: bool | None
    watchdog_silence: float | None


class RouteSettings(TypedDict, total=False):
    """Keywords of `ChatRooms.add_route`: the settings that a route may have of its own. None is a value."""

    guests: bool
    token_cookie: str | None
    token_query: str | bool | None
    auth_timeout: float
    allowed_origins: Collection[str]
    history_page: int
    recovery_limit: int
    heartbeat_interval: float
    heartbeat_timeout: float
    max_frame: int
    max_text: int
    max_stream: int
    max_json_depth: int
    max_bad_frames: int
    outbox_limit: int
    max_rooms_per_connection: int
    max_connections: int | None
    max_connections_per_user: int | None
    max_connections_per_ip: int | None


class RunTimeSettings(TypedDict, total=False):
    """Keywords of `reconfigure`: the settings that may change while a chat runs. None: what is configured."""

    auto_create: bool | None
    guests_create_rooms: bool | None
    client_room_ids: bool | None
    direct: str | None
    reserved_ids: Collection[str] | None
    receipts: bool | None
    max_members: int | None
    history_page: int | None
    recovery_limit: int | None
    max_text: int | None
    max_stream: int | None
    max_publish: int | None
    max_json_depth: int | None
    max_bad_frames: int | None
    max_rooms_per_connection: int | None
    max_connections: int | None
    max_connections_per_user: int | None
    max_connections_per_ip: int | None
    rate_limits: bool | None
    rate_message: str | None
    rate_change: str | None
    rate_live: str | None
    rate_read: str | None
    rate_join: str | None
    rate_create: str | None
    rate_new_people: str | None
    rate_auth: str | None
    rate_bytes: str | None
    overload_lag: float | None
