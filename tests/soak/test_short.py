"""Long runs, for a moment: the same code, so that it works on the day when it is run for long.

The clock is not asked: what is too slow shows at full length only.
"""

from __future__ import annotations

import pytest

from tests.soak.runs import load, modules, quiet
from tests.support.process import ROOT
from tests.support.thorough import unless_thorough

INSTEAD = {
    "access": ("conformance/test_access_play.py",),
    "app_transactions": ("conformance/test_outbox.py",),
    "contents": ("unit/wire/test_check.py", "integration/test_garbage.py"),
    "curl": ("deploy/test_proxies.py", "integration/test_rest_events.py"),
    "cuts": ("integration/test_client.py", "unit/test_model.py"),
    "drawing": ("browser/test_growing.py",),
    "embedded_killed": ("integration/test_embedded.py", "unit/drivers/test_embedded.py"),
    "floods": ("integration/test_show_limits.py", "soak/test_rates.py"),
    "folds": ("conformance/test_fold_play.py",),
    "followed": ("conformance/test_follow.py",),
    "idle_crowd": ("soak/test_clients.py", "unit/live/test_presence.py"),
    "joins": ("integration/test_show_order.py",),
    "last_event": ("integration/test_standing.py", "integration/test_show_secrets.py"),
    "matrix_synapse": ("docs/test_matrix_bridge.py",),
    "model": ("unit/test_model.py",),
    "nats_gateway": ("integration/test_nats.py",),
    "operator": ("integration/test_admin.py",),
    "page": ("browser/test_history.py", "browser/test_keys.py"),
    "postgres_flat": ("conformance/test_postgres.py",),
    "postgres_outages": ("conformance/test_postgres_failures.py",),
    "postgres_prefix": ("conformance/test_postgres.py",),
    "postgres_throughput": ("conformance/test_postgres.py",),
    "python_client": ("integration/test_client.py", "integration/test_client_verbs.py"),
    "rates": ("soak/test_rates.py",),
    "redis_fleet": ("conformance/test_redis_fleet.py",),
    "redis_kill": ("conformance/test_redis.py",),
    "redis_latency": ("conformance/test_redis.py",),
    "redis_rate": ("conformance/test_redis.py",),
    "revocation": ("integration/test_revocation.py",),
    "rolling_restart": ("integration/test_upgrade.py", "deploy/test_proxies.py"),
    "search_flat": ("conformance/test_search.py",),
    "sqlite_kill": ("soak/test_sqlite_kill.py",),
    "sqlite_rate": ("conformance/test_sqlite.py",),
    "stalled": ("integration/test_show_limits.py",),
    "storm": ("soak/test_clients.py", "integration/test_upgrade.py"),
    "streams": ("unit/verbs/test_streams.py", "conformance/test_workers.py"),
    "threads_flat": ("conformance/test_sqlite.py",),
    "together": ("conformance/test_together_play.py",),
    "two_workers": ("conformance/test_workers.py",),
    "unread": ("integration/test_unread.py", "conformance/test_unread_cost.py"),
    "unread_page": ("conformance/test_unread_cost.py",),
    "worker_frozen": ("unit/support/test_survivor.py", "conformance/test_workers.py"),
    "worker_killed": ("conformance/test_workers.py",),
}
"""Runs that even short take 5 to 30 seconds each, on a machine that does nothing else, and are for `THOROUGH`: these tests do once what they
do under load. Of their own code, those of `access`, `model` and `together` share all but the loop, that of `rates` runs for one class, and the
others' does not run. Those that end in `_flat`, `_rate`, `_latency` and `_throughput` measure, which short runs do not judge."""


def test_instead_of_each_run_that_is_left_out_there_are_tests() -> None:
    assert INSTEAD.keys() <= set(modules())
    assert [
        path for paths in INSTEAD.values() for path in paths if not (ROOT / "tests" / path).exists()
    ] == []


@pytest.mark.parametrize(
    "name", unless_thorough([name for name in modules() if name not in INSTEAD], modules())
)
async def test_short_of_a_long_run_finds_nothing_wrong(name: str) -> None:
    module = load(name)

    verdict = await module.soak(module.SHORT, quiet)

    assert verdict.wrong == []
