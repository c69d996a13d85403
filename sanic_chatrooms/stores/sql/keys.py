"""What the index of words keeps of a word: a keyed hash. So no file of the index holds a text, whatever a database leaves in it."""

from base64 import b32encode
from collections.abc import Collection, Iterable
from hashlib import blake2b

from sqlalchemy import Connection, text

from ...support.words import Query, Text

__all__ = ["Keys", "room_key"]

REMEMBERED = 50_000
"""Words whose hash and stem are remembered."""
_STEMS = text(
    "SELECT w, array_to_string(tsvector_to_array(to_tsvector(CAST(:language AS regconfig), w)), ' ') "
    "FROM unnest(CAST(:words AS text[])) AS w"
)


def room_key(room: int) -> str:
    """What each message of this room has in the index, too. No hash has a 0."""
    return f"0r{room}"


class Keys:
    """Makes the keys of one instance. `language`: PostgreSQL's text search configuration; None: words stay as they are."""

    def __init__(self, secret: str, language: str | None = None) -> None:
        self._secret = secret.encode()[:64]
        self.language = language
        self._hashes: dict[str, str] = {}
        self._stems: dict[str, str] = {}

    def of_text(self, said: str, stems: dict[str, str] | None) -> set[str]:
        """The keys of a message."""
        return self._hashed(Text(said).keys(stems))

    def of_query(self, query: Query, stems: dict[str, str] | None) -> set[str]:
        """The keys of which a message that matches has every one."""
        return self._hashed(query.keys(stems))

    def stems(self, connection: Connection, words: Collection[str]) -> dict[str, str] | None:
        """See `SearchIndex.stems`."""
        if self.language is None:
            return None
        # What is known is taken first: while the database is asked, others may forget it.
        stems = {word: self._stems[word] for word in words if word in self._stems}
        unknown = [word for word in words if word not in stems]
        if unknown:
            asked = {"language": self.language, "words": unknown}
            told = {row[0]: row[1] for row in connection.execute(_STEMS, asked)}
            if len(self._stems) > REMEMBERED:
                self._stems.clear()
            self._stems |= told
            stems |= told
        return stems

    def _hashed(self, keys: Iterable[str]) -> set[str]:
        known = self._hashes
        if len(known) > REMEMBERED:
            known.clear()
        return {known.get(key) or self._hash(key) for key in keys}

    def _hash(self, key: str) -> str:
        digest = blake2b(key.encode("utf-8", "surrogatepass"), digest_size=5, key=self._secret).digest()
        self._hashes[key] = made = b32encode(digest).decode().lower()
        return made
