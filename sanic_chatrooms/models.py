"""The values that the rest passes around. All frozen: a value may be shared and kept.

Times are Unix seconds as floats with three decimals, durations seconds, ids strings.

Values that exist once per message have `gc=False`: they can hold no cycles, and a store that remembers a million of
them is then nothing that the collector walks through.
"""

import enum
import functools
import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

__all__ = [
    "APP", "DIRECT", "PRIVATE", "PUBLIC", "RESERVED", "SPACE", "USERS", "Appended", "Collected",
    "Credentials", "Draft", "Envelope", "Event", "Fact", "Fold", "Handshake", "Head", "Known", "Member",
    "Page", "Related", "Relation", "Room", "Scope", "Sender", "Streaming", "Toggle", "User", "direct_room",
    "is_reserved", "user_room",
]  # fmt: skip

PUBLIC, PRIVATE, DIRECT = "public", "private", "direct"
RESERVED = "reserved"
"""The visibility of inboxes, which only workers read; nobody joins or lists them."""

SPACE = "~"
"""Stands between the app's namespace and the name of an instance, neither of which has one."""

EVERYONE = "~all"
"""The reserved room that every worker holds."""

LOOK = "room.look"
"""The type of a live envelope for workers: this room has ended or has another past, and the store knows more."""

TRACE = "message.trace"
"""The type of a live envelope for workers: which span an event belongs to. Workers without tracing pass it by."""

OPERATOR = "operator"
"""The type of a live envelope for workers: what operators ask and are told. Processes without their page pass it by."""

APP = "~host"
"""Stands for the user in a draft's key if the app gave the msgId and names no sender. The value is stored, so it stays."""


class Scope(enum.Enum):
    """How far a backend reaches: which processes see what one of them writes."""

    PROCESS = "process"
    MACHINE = "machine"
    HOST = MACHINE  # another name of it
    CLUSTER = "cluster"


class User(msgspec.Struct, frozen=True):
    """A user, as an authenticator returns them."""

    id: str
    """1 to 128 characters. Ids that begin with `guest-` are reserved for guests."""
    name: str
    scopes: tuple[str, ...] = ()
    """Permissions for your policy. The chat itself ignores them."""
    guest: bool = False
    """A user without an account. Guests can be present in public rooms, but are never members."""
    expires_at: float | None = None
    """When the proof of identity expires, in Unix seconds; None: never. The connection is closed then."""
    claims: Mapping[str, Any] = {}
    """Anything else that your policy needs."""
    amr: tuple[str, ...] = ()
    """How the user proved who they are, in the words of RFC 8176: `pwd`, `otp`, `mfa` …"""
    jti: str | None = None
    """The id of the proof of identity: a revocation may name it. Up to 256 characters."""
    sid: str | None = None
    """The id of the sign-in that the proof belongs to. Several proofs may share it. Up to 256 characters."""
    issued_at: float | None = None
    """When the proof was issued, in Unix seconds; None: not known, and older than any revocation of the user."""


class Sender(msgspec.Struct, frozen=True, gc=False):
    """The user who caused an event, with the fields that everybody may see."""

    id: str
    name: str


class Credentials(msgspec.Struct, frozen=True):
    """The bearer token of a client, if it sent one, the `name` that a guest asks for, and a ticket of the handshake."""

    token: str | None = None
    name: str | None = None
    ticket: str | None = None

    def __repr__(self) -> str:
        # It ends up in tracebacks and logs.
        return f"Credentials(token={self.token and '***'!r}, name={self.name!r}, ticket={self.ticket and '***'!r})"


class Handshake(msgspec.Struct, frozen=True):
    """The HTTP request that opens a WebSocket, independent of Sanic."""

    path: str
    headers: Mapping[str, str]
    """With lower-case names. Repeated headers are joined by ', '."""
    query: Mapping[str, str]
    cookies: Mapping[str, str]
    remote_ip: str
    """The client's address. Behind a proxy, set Sanic's `PROXIES_COUNT`."""
    secure: bool
    """Whether the client used TLS."""
    credentials: Credentials = Credentials()
    request: Any = None
    """The request itself, Sanic's. None in tests without one, and once a connection is open whose route needs it no more (`Guests`, `JWTAuth`, `Tickets`)."""

    def __repr__(self) -> str:
        return f"Handshake(path={self.path!r}, remote_ip={self.remote_ip!r}, secure={self.secure})"


class Room(msgspec.Struct, frozen=True):
    """A room, as the store has it."""

    id: str
    epoch: str
    """Identifies one continuous history of the room. It changes when events may have been lost."""
    seq: int
    """The number of the newest event; 0: the room has no event yet."""
    title: str = ""
    visibility: str = PUBLIC
    """`public`, `private`, `direct`, or `reserved` for internal rooms."""
    attributes: Mapping[str, Any] = {}
    """JSON values of the app, for example for its policy."""
    created_at: float = 0.0
    created_by: str | None = None
    """The id of the user who created it; None: the app did."""
    auto: bool = False
    """A first join created it: it is deleted when it is empty and no event was stored in it."""
    announce: bool = False
    """Joining and leaving are events of this room. Always true for private rooms."""
    restricted: int = 0
    """The number of the last event that took rights away (a ban, a mute, a lower role …); 0: there is none."""
    topic: str = ""
    permissions: Mapping[str, Any] = {}
    """What actions need in this room, by action, where it is not the default."""
    history_visibility: str | None = None
    """Who may read the past of a private room: `members`, `invited` or `joined`; None: the default, `members`."""
    slow_mode: float = 0
    """Seconds between two messages of one user; 0: none."""
    archived: bool = False
    """Nobody says anything in it any more."""
    retention: float = 0
    """Seconds for which its events are kept; 0: as long as the settings say."""
    history: tuple[tuple[int, str], ...] = ()
    """Who may read events from a number on, ascending: [(1, "world"), (12, "members")]; empty: it never changed."""


class Member(msgspec.Struct, frozen=True):
    """A membership: the durable relation between a user and a room."""

    user: str = msgspec.field(name="user_id")  # as stores have it
    """The id of the user."""
    name: str
    role: str = "member"
    joined_at: float = 0.0
    creator: bool = False
    """The member made the room. Leaving ends that for good."""
    invited_seq: int | None = None
    """The number of the invitation that the user accepted; None: there was none."""


class Fold(enum.Enum):
    """What an event does to the message that it is about."""

    REPLACE = "replace"
    """The message gets another payload: an edit."""
    ERASE = "erase"
    """Only the message's number stays: a deletion."""
    TOGGLE = "toggle"
    """Something is on or off at the message, once per (target, key, owner): a reaction, a pin."""
    CLOSE = "close"
    """The message gets its last payload: it was being written until now. The relation's `key`, if it has one, is then on."""
    COLLECT = "collect"
    """The event is one of the message's replies: a thread."""


class Relation(msgspec.Struct, frozen=True, gc=False):
    """What an event does to the message with the id `target` (the server's), as part of the same append."""

    target: str
    fold: Fold
    key: str = ""
    """TOGGLE: what is on or off, for example an emoji or "pin"."""
    owner: str = ""
    """TOGGLE: the id of the user who holds it; "": it belongs to the room, like a pin."""
    value: bytes | bool = b""
    """REPLACE and CLOSE: the new payload, a JSON object. TOGGLE: True for on, False for off."""
    most: int = 0  # TOGGLE: how many different keys with an owner may be on at the message; 0: any number


class Fact(msgspec.Struct, frozen=True, gc=False):
    """What holds about a key in a room: Fact("member", "u1", b'{"role":"owner",…}')."""

    kind: str
    key: str
    """A user's id, or "" where the fact is about the room."""
    value: bytes | None
    """A JSON value, kept byte for byte; None forgets the fact."""
    rule: Literal["set", "max"] = "set"
    """With "max", the value is an integer from 0 to 2**53 - 1, and a lower one than the present changes nothing."""
    until: float | None = None
    """When it has passed (Unix seconds): the store forgets it some time afterwards. The value should tell it too."""
    was: bytes | None = None
    """The value that it has to replace, b"" where it must not hold yet. Another one: nothing changes. None: it does not matter."""


class Known(msgspec.Struct, frozen=True, gc=False):
    """A fact as the store has it."""

    kind: str
    key: str
    value: bytes
    seq: int
    """The number of the event that gave it this value; 0: it was set without one."""
    since: int
    """The room's number when the fact began to hold; it has held without a break since then."""
    room: str


class Draft(msgspec.Struct, frozen=True, gc=False):
    """An event that has no number yet.

    `key` makes it idempotent: (the sender's id, or `APP`; the client's msgId), or ("", `msg_id`) where no client gave
    one. `hash` tells whether a repetition is the same command.
    `about` and `facts` happen in the same transaction as the append, or not at all, and not again on a repetition.
    """

    room: str
    type: str
    payload: bytes
    """A JSON object, as the sender wrote it."""
    msg_id: str
    timestamp: float
    sender: Sender | None = None
    key: tuple[str, str] | None = None
    hash: bytes = b""
    about: Relation | None = None
    """What the event does to another message of the room."""
    facts: tuple[Fact, ...] = ()
    """What holds in the room from this event on."""
    judged: int | None = None
    """The room's number when its sender's rights were checked. The store gives the draft back as `Stale` where the
    room's `restricted` is higher by now."""
    restricts: bool = False
    """The event takes rights away: the room's `restricted` becomes its number."""
    only_if_changed: bool = False
    """Store no event if all of `facts` hold already."""
    judged_in: str | None = None
    """The room's epoch then. Where the room has another one by now, its rights may be others, and the draft is `Stale` too."""
    spaced: float = 0
    """Seconds from the sender's last event that was `spaced`, at least: slow mode. 0: it may come at any time."""
    mentions: tuple[str, ...] = ()
    """Ids of users, "@room", or "@" and a role. With a REPLACE: those whom the message mentions from then on."""


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The result of storing an event. For a repetition: the result of the first attempt."""

    msg_id: str
    seq: int
    """The event's number in its room."""
    timestamp: float
    epoch: str
    duplicate: bool = False
    """The event was stored before, under the same key."""
    payload: bytes | None = None
    """The payload as JSON, if the store completed it, as it does for events about a message; else None."""
    unchanged: bool = False
    """No event was stored, because it would have changed nothing. `seq` is the event that set the current state; 0: none did."""


class Streaming(msgspec.Struct, frozen=True, gc=False):
    """A message is being written: so many characters (Unicode code points) of its text are there."""

    at: int


class Event(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, gc=False):
    """An event, as it is stored and sent (docs/reference/protocol.md, Envelope)."""

    msg_id: str
    timestamp: float
    type: str
    payload: msgspec.Raw
    """A JSON object. `Happening.payload` is the decoded value."""
    room: str | None = None
    seq: int | None = None
    """The event's number in its room; None: a live event."""
    sender: Sender | None = None
    client_msg_id: str | None = None
    """The `msgId` of the command that caused the event."""
    reply_to: str | None = None
    """Only on replies: the `msgId` of the command."""
    edited: float | None = None
    """When its current payload was written, in Unix seconds; None: it was never edited."""
    deleted: bool = False
    """The message was deleted, and its payload is {}."""
    changed: int | None = None
    """The number of its newest change; None: it was never changed."""
    streaming: Streaming | None = None
    """The message is being written. Stores do not keep this; `stores.streams` tells it."""


class Envelope(msgspec.Struct, frozen=True, gc=False):
    """What the broker carries: one event of one room, encoded once. `seq` 0 is live: passed on at most once, never repaired."""

    room: str
    epoch: str
    seq: int
    type: str
    data: bytes
    """The event as JSON text, as it goes to every client (for types that only workers speak: their own JSON)."""


class Head(msgspec.Struct, frozen=True, gc=False):
    """Where a room's numbering stands."""

    epoch: str
    seq: int


class Toggle(msgspec.Struct, frozen=True, gc=False):
    """Who holds a key at a message: how many, and who was the last to."""

    count: int
    seq: int
    """The number of the newest event that turned it on, with that event's time and sender:"""
    at: float
    by: Sender | None
    mine: bool = False
    """The reader who was named is among its owners."""


class Collected(msgspec.Struct, frozen=True, gc=False):
    """The replies of a message that are not deleted: how many, and the newest."""

    count: int
    seq: int
    timestamp: float
    sender: Sender | None


class Related(msgspec.Struct, frozen=True):
    """What other events have made of a message, beside its own payload."""

    toggles: Mapping[str, Toggle] = {}
    """By key; without the keys that nobody holds."""
    collected: Collected | None = None
    """None: it has no reply that is not deleted."""


class Page(msgspec.Struct, frozen=True):
    """A piece of a room's past, ascending. `more`: there is more in the direction that was asked for."""

    events: list[Event]
    more: bool
    epoch: str
    seq: int
    """The room's head when the page was read."""
    floor: int = 0
    """Everything up to and including this number is gone (trimmed or expired)."""
    related: Mapping[int, Related] = {}
    """By number: what other events have made of the page's messages. Without those of which there is nothing to tell."""


def _digest(*parts: str) -> str:
    # Length-prefixed: ("a", "bc") and ("ab", "c") must not meet.
    return hashlib.sha256("".join([f"{len(p)}:{p}" for p in parts]).encode()).hexdigest()[:40]


def direct_room(one: str, other: str) -> str:
    """The id of the direct room of two users; the same for both orders. User ids may hold anything, room ids may not."""
    return "~direct." + _digest(*sorted((one, other)))


USERS = "~user."
"""How the ids of users' inboxes begin."""


@functools.lru_cache(maxsize=4096)
def user_room(user_id: str) -> str:
    """The inbox of one user's connections: a reserved room."""
    return USERS + _digest(user_id)


def is_reserved(room: str) -> bool:
    """Is this the id of an inbox, or of the room that all workers hold?"""
    return room == EVERYONE or room.startswith(USERS)
