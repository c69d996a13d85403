"""How far it is known who is at a connection. Kept by the commands of identity."""

__all__ = ["Who"]


class Who:
    """`Session.user` says who it is; this is what led to it."""

    __slots__ = ("anonymous", "bad_proofs", "greeted", "proof_at", "refused")

    def __init__(self) -> None:
        self.anonymous = False
        """A guest who showed nothing, and has done nothing yet: may still say who they are."""
        self.greeted = False
        """`welcome` was sent."""
        self.bad_proofs = 0
        """Failed proofs of identity in a row."""
        self.proof_at = 0.0
        """Until then (monotonic seconds) no proof of identity is looked at."""
        self.refused: int | None = None
        """With what the connection is closed after the answer that is under way."""

    def acted(self) -> None:
        """They did something, or somebody spoke to them: too late to turn out to be another user."""
        self.anonymous = False
