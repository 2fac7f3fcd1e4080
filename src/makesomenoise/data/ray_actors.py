"""Works off jobs on a Ray cluster: Ray Data hands them to a pool of actors, each of which has one engine.

Ray moves descriptions of jobs and results, a few kilobytes each; sounds are read and shards written by the actors
themselves. A job that is handed out twice, because an actor died, does no harm (see `job_encoding.py`), so Ray's own
checkpoints are not needed.
"""

import logging
import os
import pickle
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeGuard

import ray
import ray.data
from ray.exceptions import RayError

from makesomenoise.data.fetching import Work, do_work
from makesomenoise.data.job_encoding import Engine, JobResult
from makesomenoise.data.jobs import Job
from makesomenoise.data.manifest import Clip
from makesomenoise.errors import DataError, MakeSomeNoiseError

LOCAL = "local"
_MOST_BLOCKS = 1000
_PATIENCE_SECONDS = 5.0
_STORE_BYTES = 128 * 2**20  # of a cluster of our own; what goes through it is small
# How a client of HTTP/2 begins, which Ray speaks, with an empty frame of settings; a server answers with its own.
_SETTINGS = b"\x04"
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + _SETTINGS + bytes(5)


class RayClusterError(DataError):
    """A cluster that cannot be used; the message is one sentence for the user."""


def on_ray(work: Sequence[Work], engine: Engine, count: int, address: str) -> Iterator[JobResult]:
    """Does the work on a cluster, and gives results as they come.

    Args:
        work: what is to be done; paths in it mean the same on all machines.
        engine: each actor has one.
        count: number of actors.
        address: `local` for a cluster that is started here and stopped again, `auto` for the one that this machine
            belongs to, `HOST:PORT` or `ray://HOST:PORT`.

    Raises:
        RayClusterError: if the cluster does not answer, runs another version, or lacks what is needed.
    """
    if not work:
        return
    with _connected(address, count):
        gpus = 1 if engine.device.startswith("cuda") else 0
        blocks = min(len(work), _MOST_BLOCKS)
        shared = next((one.clips for one in work if _is_made(one)), ())
        rows = ray.data.from_items([{"work": pickle.dumps(_light(one))} for one in work], override_num_blocks=blocks)
        done = rows.map(
            _Encoder,  # pyright: ignore[reportArgumentType] - a class is one actor
            fn_constructor_args=(engine, shared),
            # One job beside the one that is done: more would wait for a slow actor while others have nothing to do.
            compute=ray.data.ActorPoolStrategy(size=min(count, blocks), max_tasks_in_flight_per_actor=2),
            num_cpus=1,
            num_gpus=gpus,
        )
        try:
            for row in done.iter_rows():
                result = pickle.loads(row["result"])  # made by `_Encoder` of this very run
                if isinstance(result, MakeSomeNoiseError):
                    raise result
                yield result
        except RayError as error:
            raise _mended(error) from None


class _Encoder:
    """What an actor does.

    Args:
        engine: encodes.
        shared: the clips that all scenes are made from.
    """

    def __init__(self, engine: Engine, shared: tuple[Clip, ...]):
        import torch  # noqa: PLC0415 - where the actor runs

        torch.set_num_threads(1)
        self._engine, self._shared = engine, shared

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        work = pickle.loads(row["work"])  # made by `on_ray`
        if _is_made(work):
            work = replace(work, clips=self._shared)
        try:
            result: JobResult | MakeSomeNoiseError = do_work(work, self._engine)
        except MakeSomeNoiseError as error:
            result = error  # goes to the user as the sentence it is, where Ray would make a traceback of it
        return {"result": pickle.dumps(result)}


def _is_made(work: Work) -> TypeGuard[Job]:
    """Whether scenes are to be made, each of all clips whose labels are trusted."""
    return isinstance(work, Job) and bool(work.scenes)


def _light(work: Work) -> Work:
    """Work without the clips that all scenes share: with each job, they would fill the memory of a cluster."""
    return replace(work, clips=()) if _is_made(work) else work


@contextmanager
def _connected(address: str, count: int) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # else Ray tells its makers, which nobody asked for
    # Else actors would wait behind everything else on a busy machine; the name is Ray's.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address in ("", LOCAL):
        quiet |= {
            "_node_ip_address": "127.0.0.1",
            "include_dashboard": False,
            "num_cpus": max(count, os.cpu_count() or 1),
        }
        quiet["object_store_memory"] = _STORE_BYTES
        address = LOCAL
    elif address != "auto":
        _check_answers(address)
    try:
        ray.init(address=address, **quiet)
    except Exception as error:  # some of Ray's have no class of their own
        raise _refused(address, error) from None
    _silence()
    try:
        yield
    finally:
        ray.shutdown()


def _check_answers(address: str) -> None:
    """Ray itself would wait for minutes and tell much."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        raise RayClusterError(f"'{address}' is no address of a Ray cluster: give HOST:PORT, ray://HOST:PORT or auto.")
    try:
        with socket.create_connection((host, int(port)), _PATIENCE_SECONDS) as connection:
            connection.sendall(_GREETING)
            head = connection.recv(9, socket.MSG_WAITALL)
    except (OSError, OverflowError) as error:
        raise RayClusterError(
            f"No Ray cluster answers at {address} ({' '.join(str(error).split())}): "
            "start one with `ray start --head`, or give --ray alone for one on this machine."
        ) from None
    if head[3:4] != _SETTINGS:
        raise RayClusterError(f"What answers at {address} is no Ray cluster: give the address that `ray start` told.")


def _refused(address: str, error: Exception) -> RayClusterError:
    said = " ".join(str(error).split())
    if "ersion mismatch" in said:
        python = ".".join(map(str, sys.version_info[:3]))
        return RayClusterError(
            f"The Ray cluster at {address} runs another version than this machine (Ray {ray.__version__}, Python "
            f"{python}): install the same on both."
        )
    told = said[:200].rstrip(".")
    if address == LOCAL:
        return RayClusterError(f"Ray does not start on this machine ({told}): try again, or without --ray.")
    return RayClusterError(f"Cannot use the Ray cluster at {address}: {told}.")


def _mended(error: RayError) -> RayClusterError:
    said = " ".join(str(error).split())
    if "No module named 'makesomenoise" in said:
        return RayClusterError("The machines of the cluster lack makesomenoise: install there what is installed here.")
    return RayClusterError(
        f"The cluster gave up ({type(error).__name__}: {said[:200].rstrip('.')}): run the same command again, and it "
        "goes on where it stopped."
    )


def _silence() -> None:
    """The command shows its own progress."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
