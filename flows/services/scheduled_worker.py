"""The process that begins scheduled runs when they are due: Prefect's worker of a pool, which says nothing of itself.

Called by `temper up` as `python -m flows.services.scheduled_worker POOL LIMIT`.
"""

import asyncio
import os
import signal
import sys
from contextlib import suppress

from prefect.workers.process import ProcessWorker


async def work(pool: str, limit: int) -> None:
    """Begin runs of a pool, at most `limit` at once, until this process is asked to end; runs end with it."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    worker = ProcessWorker(work_pool_name=pool, name=f"temper on {os.uname().nodename}", limit=limit)
    await worker.start(printer=lambda *_: None)


if __name__ == "__main__":
    with suppress(asyncio.CancelledError):
        asyncio.run(work(sys.argv[1], int(sys.argv[2])))
