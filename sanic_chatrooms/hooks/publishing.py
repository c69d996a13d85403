"""The app's check of what users say, with a limit of time: `@chat.before_publish`.

    @chat.before_publish(budget=0.2, on_failure="refuse")
    async def no_spam(ctx):
        if await is_spam(ctx.payload["text"]):
            raise Forbidden("this looks like spam")
        ctx.payload = {**ctx.payload, "text": tidy(ctx.payload["text"])}

It is a middleware for `speak`, so it sees all words that users put before others, always as `ctx.payload["text"]`: bodies of messages, and
titles, reasons, names (`ctx.field`). Several run in the order of registration, each with its own budget, and each sees what those before
it have made of the words.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Literal

from ..errors import ChatError, ConfigError, Forbidden, Unavailable
from ..observe.instruments import CHECKS
from ..support.tasks import is_ending
from .middleware import Context, Handler, Middleware

__all__ = ["BeforePublish", "Held", "Hold", "OnFailure", "check_budget", "within_budget"]

logger = logging.getLogger("sanic_chatrooms.hooks.publishing")

BeforePublish = Callable[[Context], Awaitable[None]]
Hold = Callable[[Context, str], Awaitable[None]]
OnFailure = Literal["refuse", "allow"]
LONGEST = 10.0
"""Seconds that a check may take at most."""


class Held(Forbidden):
    """Raised by a check before publishing: the message is not published, and moderators get it as a report, with this text as the
    reason. The sender is answered with the text and `forbidden`. Other words (titles, reasons, names) are refused, and not kept."""

    default = "this is not published; moderators look at it first"


def check_budget(budget: float, on_failure: str) -> None:
    """Check the arguments of the decorator. Raises `ConfigError`."""
    known: object = budget  # an app without a type checker may give anything
    if isinstance(known, bool) or not isinstance(known, int | float) or not 0 < known <= LONGEST:
        raise ConfigError(
            f"before_publish(budget={budget!r}): must be above 0 and at most {LONGEST:.0f} seconds"
        )
    if on_failure not in ("refuse", "allow"):
        raise ConfigError(f'before_publish(on_failure={on_failure!r}): must be "refuse" or "allow"')


def within_budget(
    function: BeforePublish, budget: float, on_failure: OnFailure, hold: Hold | None = None
) -> Middleware:
    """The middleware that asks `function` first. If it fails or takes longer than `budget` seconds, `on_failure` decides. `hold`
    keeps what is `Held`."""

    async def check(ctx: Context, call_next: Handler) -> Any:
        command, said = ctx.command, ctx.command.payload
        count = partial(ctx.chat.running().meter.add, CHECKS, 1)
        try:
            async with asyncio.timeout(budget):
                await function(ctx)
        except Held as held:
            ctx.put(command, said)
            keeps = hold is not None and ctx.field is None
            if hold is not None and keeps:
                await hold(ctx, held.message)
            count("held" if keeps else "refused")
            raise
        except ChatError:
            count("refused")
            raise
        except (Exception, asyncio.CancelledError) as exc:
            if is_ending():
                raise
            count("late" if isinstance(exc, TimeoutError) else "failed")
            logger.error("the check before publishing failed; %s", on_failure, exc_info=exc)
            if on_failure == "refuse":
                raise Unavailable("this could not be checked in time; try again") from exc
            ctx.put(command, said)  # half a change is none
        else:
            count("passed" if ctx.command.payload == said else "changed")
        return await call_next(ctx)

    return check
