from push_from_http import app


def test_an_order_is_published_once() -> None:
    _, first = app.test_client.post("/orders/7")

    assert first.json == {"seq": 1}
