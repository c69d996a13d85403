"""Codes with which a WebSocket connection is closed, and the words that go with them (docs/reference/protocol.md)."""

import enum

__all__ = ["REASONS", "CloseCode", "reason"]


class CloseCode(enum.IntEnum):
    """Why the server closes a connection. 4000-4499: come back later; 4500-4999: do not."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    BINARY = 1003
    BAD_UTF8 = 1007
    FLOOD = 1008
    TOO_BIG = 1009
    SERVER_ERROR = 1011
    RESTART = 1012
    OVERLOADED = 1013
    TOKEN_EXPIRED = 4001
    SLOW_CONSUMER = 4008
    POSITION_LOST = 4010
    NO_HEARTBEAT = 4012
    RATE_LIMIT = 4013
    INVALID_TOKEN = 4500
    BAD_FRAMES = 4501
    AUTH_TIMEOUT = 4502
    DISCONNECTED = 4503
    CONNECTION_LIMIT = 4504
    BANNED = 4507
    REPLACED = 4509


REASONS: dict[CloseCode, str] = {
    CloseCode.NORMAL: "goodbye",
    CloseCode.GOING_AWAY: "going away",
    CloseCode.PROTOCOL_ERROR: "protocol error",
    CloseCode.BINARY: "text frames only",
    CloseCode.BAD_UTF8: "text is not valid UTF-8",
    CloseCode.FLOOD: "flood",
    CloseCode.TOO_BIG: "frame too big",
    CloseCode.SERVER_ERROR: "server error",
    CloseCode.RESTART: "server restarts",
    CloseCode.OVERLOADED: "overloaded",
    CloseCode.TOKEN_EXPIRED: "token expired",
    CloseCode.SLOW_CONSUMER: "reads too slowly",
    CloseCode.POSITION_LOST: "position lost",
    CloseCode.NO_HEARTBEAT: "no sign of life",
    CloseCode.RATE_LIMIT: "too fast",
    CloseCode.INVALID_TOKEN: "invalid token",
    CloseCode.BAD_FRAMES: "too many malformed frames",
    CloseCode.AUTH_TIMEOUT: "not authenticated in time",
    CloseCode.DISCONNECTED: "disconnected by the application",
    CloseCode.CONNECTION_LIMIT: "too many connections",
    CloseCode.BANNED: "banned",
    CloseCode.REPLACED: "replaced by another connection",
}


def reason(code: int) -> str:
    """The words that go with a close code of ours."""
    try:
        return REASONS[CloseCode(code)]
    except ValueError:
        return "closed by the application"
