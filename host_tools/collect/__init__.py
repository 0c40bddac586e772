"""The collector: records from the broker into a database, acknowledged after the commit.

Not the broker, not the live page. Read `collector.py` first (who calls whom), then `store.py`
(one batch, one transaction), then `tables.py` (what is kept). The record's bytes are drawn in
agent/README.md, a block's in agent/FORMAT.md.

    from host_tools.collect import Collector

    with Collector("127.0.0.1", 1883, "sqlite:///readings.db") as collector:
        collector.wait_for(lambda progress: progress.readings >= 10, timeout_s=5)
"""

from host_tools.collect.collector import Collector, Progress

__all__ = ["Collector", "Progress"]
