import pytest

# The suites are no test modules by name, so pytest must be told to show the values of their failing asserts.
pytest.register_assert_rewrite("sanic_chatrooms.testing")
