"""A griffe extension: shows the numbered sentences of contracts as lists that keep their numbers.

A contract has them as lines (" 7. A draft …"), in groups under a line that names the subject. Markdown would make one paragraph
of that, or count again from 1.
"""

import re
from typing import Any

from griffe import Extension, Object

_SENTENCE = re.compile(r"^ *(\d+)\. ", re.MULTILINE)
_SUBJECT = re.compile(r"^(?!- )(\S.*)\n(?=- \*\*\d)", re.MULTILINE)


def listed(text: str) -> str:
    return _SUBJECT.sub(r"\n**\1**\n\n", _SENTENCE.sub(r"- **\1.** ", text))


class Contracts(Extension):
    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = listed(obj.docstring.value)
