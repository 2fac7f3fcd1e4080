"""Works off jobs in plain processes of this machine, each of which may die without harm to the others."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from threading import Thread

import torch

from makesomenoise.data.attempts import MOST_DEATHS
from makesomenoise.data.fetching import Work, do_work
from makesomenoise.data.job_encoding import EncodeError, Engine, JobResult


def in_processes(work: Sequence[Work], engine: Engine, count: int) -> Iterator[JobResult]:
    """Does the work, and gives results as they come.

    Args:
        work: what is to be done.
        engine: each process has one.
        count: number of processes; with one, the work is done in this process.

    Raises:
        EncodeError: if processes die before they read anything, or again and again.
    """
    if count == 1 or len(work) < 2:  # noqa: PLR2004 - one job is no work to share
        yield from (do_work(one, engine) for one in work)
        return
    lanes = [_Lane() for _ in range(min(count, len(work)))]
    free: SimpleQueue[_Lane] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def on_a_lane(one: Work) -> JobResult:
        lane = free.get()
        try:
            return lane.do(one, engine)
        finally:
            free.put(lane)

    threads = ThreadPoolExecutor(len(lanes))
    try:
        for future in as_completed([threads.submit(on_a_lane, one) for one in work]):
            yield future.result()
    finally:
        threads.shutdown(cancel_futures=True)
        for lane in lanes:
            lane.close()


class _Lane:
    """One process, and another when it dies.

    A pool of several would end all of them when one dies, so that clips that others were at would be suspected.
    """

    def __init__(self) -> None:
        self._process = _started()

    def do(self, work: Work, engine: Engine) -> JobResult:
        in_vain = 0
        while True:
            try:
                return self._process.submit(do_work, work, engine).result()
            except BrokenProcessPool:
                self._process = _started()
                # Who died at a clip has noted it, and will not do so for ever; who has not would.
                in_vain += not work.is_begun()
                if in_vain == MOST_DEATHS:
                    raise EncodeError(
                        "A process that encodes ended early, perhaps for want of memory: run the same command again "
                        "with fewer --workers, and it goes on where it stopped."
                    ) from None

    def close(self) -> None:
        self._process.shutdown(cancel_futures=True)


def _started() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), _begin)


def _begin() -> None:
    """Prepares a process."""
    torch.set_num_threads(1)
    Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess | None) -> None:
    """Ends a process when the one that started it is gone, however that was; else it would wait for work for ever."""
    if parent is not None:
        parent.join()
        os._exit(1)
