"""The control channel between the supervisor and a worker, also with malformed lines."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from service.processes.control_channel import Order, Report, SupervisorEnd

ROOT = Path(__file__).parents[3]
WORKER = """
import sys, threading
from service.processes.control_channel import WorkerEnd
from service.telemetry.merging import Family
end = WorkerEnd()
sys.stderr.write(str(end.order.worker))
many = [Family("calls", "counter", "Calls.", "", [("calls_total", {"code": str(code)}, 1.0) for code in range(20_000)])]
threads = [threading.Thread(target=end.ends, args=(many, None)) for _ in range(3)]
for thread in threads:
    thread.start()
end.serves("abc")
for thread in threads:
    thread.join()
end.follow(lambda: ([], None), lambda: sys.stderr.write(" lost"))
"""


async def start(code):
    """Start code as a worker; the supervisor's end and the process."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=theirs, stderr=subprocess.PIPE, text=True)
    theirs.close()
    return await SupervisorEnd.of(ours, Order(7, True, {})), process


def test_every_report_arrives_whole_although_several_threads_report_at_a_time():
    async def run():
        end, process = await start(WORKER)
        reports = [await end.report() for _ in range(4)]
        assert sorted(len(report.metrics[0].series) for report in reports if report.metrics) == [20_000] * 3
        assert [report.model_version for report in reports if report.serves] == ["abc"]
        end.ask(5)
        assert await end.report() == Report(number=5, metrics=[])
        end.close()
        assert (await asyncio.to_thread(process.communicate))[1] == "7 lost"
        assert await end.report() is None

    asyncio.run(run())


@pytest.mark.parametrize("line", [b"nonsense\n", b"5\n", b'{"metrics": 5}\n', b"\xff\n"])
def test_a_line_that_is_no_report_is_refused_and_the_next_one_is_read(line):
    async def run():
        ours, theirs = socket.socketpair()
        end = await SupervisorEnd.of(ours, Order(0, False, {"port": 1}))
        assert json.loads(theirs.recv(1000)) == {"worker": 0, "alone": False, "settings": {"port": 1}}
        theirs.sendall(line + b'{"number": 1, "metrics": []}\n{"cut off')
        with pytest.raises(ValueError):  # noqa: PT011 # any
            await end.report()
        assert (await end.report()).number == 1
        theirs.close()
        assert await end.report() is None
        end.close()

    asyncio.run(run())
