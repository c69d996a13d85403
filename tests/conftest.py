pytest_plugins = (
    "tests.support.guard",
    "tests.support.loops",
    "tests.support.fixtures",
    "tests.support.postgres",
    "tests.support.side_by_side",
    "tests.support.systems",
)
