"""The state of a connection's sign-in. `verbs/identity.py` owns it."""

__all__ = ["Who"]


class Who:
    """The sign-in of the user in `Session.user`."""

    __slots__ = ("anonymous", "bad_proofs", "greeted", "proof_at", "refused")

    def __init__(self) -> None:
        self.anonymous = False
        """A new guest who has done nothing yet, and may still sign in as somebody else."""
        self.greeted = False
        """`welcome` was sent."""
        self.bad_proofs = 0
        """Failed proofs of identity in a row."""
        self.proof_at = 0.0
        """No proof is checked before this time (monotonic seconds)."""
        self.refused: int | None = None
        """The code with which the connection is closed after the current answer."""

    def acted(self) -> None:
        """The guest has done something, or got a message, and can no longer sign in as somebody else."""
        self.anonymous = False
