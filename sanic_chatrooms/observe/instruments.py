"""Everything that a worker counts and measures. Exporters prefix the names with `chatrooms_`."""

from .meter import Counter, Gauge, Histogram

__all__ = [
    "APPEND_BATCH",
    "APPEND_SECONDS",
    "BROKER_HEALTHY",
    "BROKER_RECONNECTS",
    "CHECKS",
    "CLOSED",
    "COMMANDS",
    "CONNECTIONS",
    "CUT",
    "DELIVERED_BYTES",
    "DELIVERIES",
    "DRAFTS_WAITING",
    "DROPPED",
    "DROPPED_COMMITS",
    "ENVELOPES_WAITING",
    "FORGED",
    "GAPS",
    "HAPPENINGS_DROPPED",
    "HAPPENINGS_WAITING",
    "HEARTBEAT_SECONDS",
    "INSTRUMENTS",
    "LOOP_LAG",
    "OK",
    "OVERLOADED",
    "PUBLISH_BATCH",
    "PUBLISH_SECONDS",
    "RATE_ACCOUNTS",
    "RATE_REFUSALS",
    "RECEIVED_BYTES",
    "REFUSED",
    "REPAIRED",
    "RESETS",
    "ROOMS",
    "SHED",
    "STORE_ERRORS",
    "STORE_SECONDS",
    "STREAMS",
    "UNFIT",
    "UNREAD_BYTES",
    "WORKERS",
]

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)

# ---- connections ----

CONNECTIONS = Gauge("connections", "Connections that are open.")
CLOSED = Counter(
    "closed_connections_total",
    "Connections that ended, by close code; `gone`: the peer left without one, `other`: a code of the app.",
    ("code",),
)
CUT = Counter("cut_connections_total", "Connections of guests that were closed because they read nothing.")
UNREAD_BYTES = Gauge("unread_bytes", "Bytes that wait to be read by connections where nobody has signed in.")
REFUSED = Counter("refused_handshakes_total", "Handshakes that were refused, by the error's code.", ("code",))
RECEIVED_BYTES = Counter("received_bytes_total", "Bytes that came over WebSockets, decrypted.")
HEARTBEAT_SECONDS = Histogram("heartbeat_seconds", "From a ping to its pong.", _SECONDS)
COMMANDS = Counter(
    "commands_total",
    "Commands, by type (`unknown`: no such type, or a malformed frame) and result (`ok`, or the error's code).",
    ("type", "result"),
)
OK = "ok"
CHECKS = Counter(
    "publish_checks_total",
    "Checks of the app before publishing, by result: `passed`, `changed`, `refused`, `held`, `late` (over budget), `failed`.",
    ("result",),
)
RATE_REFUSALS = Counter(
    "rate_refusals_total",
    "Commands and proofs of identity that were refused because there were too many, by limit and by whose it is: `user` or `address`.",
    ("limit", "whose"),
)
RATE_ACCOUNTS = Gauge("rate_accounts", "Users and addresses whose limits this worker remembers.")

# ---- rooms ----

ROOMS = Gauge(
    "rooms",
    "Rooms that workers are subscribed to: once for each worker. Users' own are among them, unless one worker is alone with its memory.",
)
STREAMS = Gauge("streams", "Messages that are being written piece by piece.")
DELIVERIES = Counter("deliveries_total", "Events of rooms that were written to connections.")
DELIVERED_BYTES = Counter("delivered_bytes_total", "Bytes of these.")
GAPS = Counter("gaps_total", "Times that the store was read because a number was missing.")
REPAIRED = Counter("repaired_events_total", "Events that were read from the store because they were missing.")
RESETS = Counter("resets_total", "Rooms whose sessions were told to join again, by reason.", ("reason",))
DROPPED = Counter(
    "dropped_envelopes_total",
    "Envelopes that were dropped because a queue was full: `publish` (for the broker).",
    ("queue",),
)

# ---- store and broker ----

DRAFTS_WAITING = Gauge("drafts_waiting", "Drafts that wait for the store.")
APPEND_BATCH = Histogram("append_batch_drafts", "Drafts that were stored at a time.", _SIZES)
APPEND_SECONDS = Histogram("append_seconds", "Time until a batch was stored, repetitions included.", _SECONDS)
STORE_SECONDS = Histogram("store_seconds", "Time until the store answered, by verb.", _SECONDS, ("verb",))
STORE_ERRORS = Counter(
    "store_errors_total",
    "Requests that the store refused or did not answer, by verb and error code. `append`: batches that failed.",
    ("verb", "code"),
)
DROPPED_COMMITS = Counter(
    "dropped_commits_total",
    "Events of the app's own transactions that could not be stored after the commit, by error code.",
    ("code",),
)
ENVELOPES_WAITING = Gauge("envelopes_waiting", "Envelopes that wait for the broker.")
PUBLISH_BATCH = Histogram("publish_batch_envelopes", "Envelopes that were published at a time.", _SIZES)
PUBLISH_SECONDS = Histogram("publish_seconds", "Time until the broker took them.", _SECONDS)
BROKER_HEALTHY = Gauge(
    "broker_healthy", "1, or 0 while events are known not to reach a worker by the broker.", least=True
)
BROKER_RECONNECTS = Counter("broker_reconnects_total", "Times that the broker's connection was made again.")
FORGED = Counter("forged_packets_total", "Packets from the broker that were not signed with the key.")
UNFIT = Counter(
    "unfit_envelopes_total", "Envelopes from the broker that are not what their type and room need."
)

# ---- the process ----

WORKERS = Gauge("workers", "Workers that serve.")
HAPPENINGS_WAITING = Gauge("happenings_waiting", "Calls of the app's listeners that wait.")

HAPPENINGS_DROPPED = Counter(
    "dropped_happenings_total", "Calls of the app's listeners that were dropped because too many waited."
)
LOOP_LAG = Histogram(
    "event_loop_lag_seconds", "How late the event loop is, measured once a second.", _SECONDS
)
OVERLOADED = Gauge(
    "overloaded", "Workers whose event loop is late: newcomers are refused, and live events wait."
)
SHED = Counter("shed_events_total", "Live events that were left out because of that, by type.", ("type",))

INSTRUMENTS: tuple[Counter | Gauge | Histogram, ...] = tuple(
    value for value in globals().copy().values() if isinstance(value, Counter | Gauge | Histogram)
)
"""All of them, in the order of this file."""
