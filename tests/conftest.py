import pytest

# Its suites are no test modules by name, so pytest is told to show the values of their failing asserts, before anything imports them.
pytest.register_assert_rewrite("sanic_chatrooms.testing")

pytest_plugins = (
    "tests.support.guard",
    "tests.support.loops",
    "tests.support.fixtures",
    "tests.support.idle_time",
    "tests.support.in_memory",
    "tests.support.postgres",
    "tests.support.remembered",
    "tests.support.rest",
    "tests.support.side_by_side",
    "tests.support.systems",
    "tests.support.used_tables",
)
