import os

from sanic import HTTPResponse, Request, Sanic, json
import sanic_chatrooms as chatrooms
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# region setup
DATABASE = os.environ.get("SHOP_DATABASE", "sqlite+aiosqlite:///shop.db")  # or postgresql+asyncpg://…

app = Sanic("Shop")
app.config.CHATROOMS_GUESTS = True
app.config.CHATROOMS_STORE = DATABASE  # the chat's tables are beside yours
app.blueprint(chatrooms.bp)

chat = chatrooms.default
engine = create_async_engine(DATABASE)
sessions = async_sessionmaker(engine, expire_on_commit=False)
# endregion


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    article: Mapped[str]


@app.before_server_start
async def prepare(_: object) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    await chat.ensure_room("orders", title="Orders")


@app.after_server_stop
async def close(_: object) -> None:
    await engine.dispose()


# region publish
@app.post("/orders")
async def order(request: Request) -> HTTPResponse:
    async with sessions.begin() as session:
        new = Order(article=str(request.json["article"]))
        session.add(new)
        await session.flush()
        await chat.publish("orders", "ORDER_CREATED", {"orderId": new.id}, within=session)
        if new.article == "unicorn":
            raise ValueError("sold out")  # rolls back: no order and no event
    return json({"orderId": new.id}, status=201)


# endregion
