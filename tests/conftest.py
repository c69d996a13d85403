pytest_plugins = (
    "tests.support.guard",
    "tests.support.loops",
    "tests.support.fixtures",
    "tests.support.postgres",
    "tests.support.systems",
)
