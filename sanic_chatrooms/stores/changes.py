"""What relations and facts do, as far as it is the same in every store."""

from ..models import Fact

__all__ = ["changes", "completed"]


def completed(payload: bytes, seq: int, count: int | None = None) -> bytes:
    """The payload of an event about the message with number `seq`: `{"seq":3,"count":2,…}`.

    Textual, so that the rest stays byte for byte. `payload` is `{}` or begins with `{"`.
    """
    added = b'{"seq":%d' % seq if count is None else b'{"seq":%d,"count":%d' % (seq, count)
    return added + (b"}" if payload == b"{}" else b"," + payload[1:])


def changes(present: bytes | None, fact: Fact) -> bool:
    """Does this fact change anything, where the present value is this one (None: there is none)?"""
    if fact.value is None or present is None:
        return fact.value is not present
    if fact.rule == "max":
        return int(fact.value) > int(present)
    return fact.value != present
