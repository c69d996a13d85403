"""URLs of databases as SQLAlchemy's asyncio wants them."""

from __future__ import annotations

__all__ = ["asynchronous"]


def asynchronous(url: str) -> str:
    return url.replace("sqlite:", "sqlite+aiosqlite:").replace("postgresql:", "postgresql+asyncpg:")
