"""What all verbs of an app share: the running chat, and the users that they are about."""

from abc import ABC, abstractmethod

from msgspec.structs import replace

from ..auth.names import shown_name
from ..chat import Chat
from ..errors import InvalidField
from ..models import Sender, User
from ..support.user_ids import check_user_id
from ..verbs.acting import Acting, Keep

__all__ = ["Verbs", "acting_as", "id_of", "sender_of", "user_of"]


class Verbs(ABC):
    """Verbs of an app. Each raises `ConfigError` before the chat has started."""

    @abstractmethod
    def running(self) -> Chat:
        """The chat that runs in this process, for the app that this belongs to."""


def id_of(user: User | Sender | str) -> str:
    """The id of a user who is given as a value or by their id. Raises `InvalidField`."""
    return check_user_id(user.id if isinstance(user, User | Sender) else user)


def sender_of(user: User | Sender, field: str = "user") -> Sender:
    """Id and name of a user. `field` is the argument that the error names. Raises `InvalidField`."""
    if not isinstance(user, User | Sender):
        # The id alone does not say what they are called.
        raise InvalidField(f"must be a User, and not {type(user).__name__}", field=field)
    return Sender(id_of(user), shown_name(user.name, user.id))


def user_of(user: User | Sender) -> User:
    """A user with an id and a name that have been checked. Raises `InvalidField`."""
    known = sender_of(user)
    return User(known.id, known.name)


def acting_as(chat: Chat, user: User, field: str = "as_user", keep: Keep | None = None) -> Acting:
    """A user who acts without a connection. `keep` stores what they say; None: the journal does. Raises `InvalidField`."""
    if not isinstance(user, User):
        raise InvalidField(f"must be a User, and not {type(user).__name__}", field=field)
    check_user_id(user.id, field)
    user = replace(user, name=shown_name(user.name, user.id))
    limits = chat.limits.without_connection(user.id)
    return Acting(user, chat.declaration.policy, chat.settings, limits, keep or chat.journal.append)
