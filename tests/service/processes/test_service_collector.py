"""What the log says if the supervisor's event loop doesn't answer within a second."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from service.processes.service_collector import RESPONSE_SECONDS, ServiceCollector


def test_a_check_or_scrape_that_fails_is_logged_by_its_own_name(caplog):
    async def scrape_while_blocked() -> list:
        collector = ServiceCollector(time.monotonic)
        with ThreadPoolExecutor() as threads:
            answers = [threads.submit(ask) for ask in (collector.healthy, collector.ready, collector.collect)]
            time.sleep(2 * RESPONSE_SECONDS + 0.5)  # blocks the event loop
        return [answer.result() for answer in answers]

    assert asyncio.run(scrape_while_blocked()) == [False, False, []]
    events = sorted(record.msg for record in caplog.records if record.name == "coldstart")
    assert events == ["health_not_checked", "metrics_not_renewed", "readiness_not_checked"]
