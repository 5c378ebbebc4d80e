"""Several processes that train one run together: how they start, agree, stop and end.

Every process runs the same program on its own devices. The first one (`jax.process_index() == 0`)
writes and prints; what only it can know, the others are told.
"""

import contextlib
import importlib.util
import itertools
import os
import re
import signal
import sys
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from jaxgan import roll_call
from jaxgan.errors import UserError

T = TypeVar("T")

# Exit codes of a process that gives up; main.py lists them all.
MISTAKE, LOST, INTERRUPTED = 2, 69, 130

# A message travels between processes in an array of one size.
_MESSAGE_BYTES = 2048
# The coordinator lives in the first process: when that ends, JAX aborts the others at once. Those
# that have found the same mistake get this long to say so.
_LAST_SECONDS = 3.0
# JAX looks every second whether a SIGTERM has come, and then has to tell the others.
_NOTICE_SECONDS = 1.5
# How the errors of a collective begin or what they name when the other end is gone.
_GONE = re.compile(
    r"gloo|nccl|UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|coordination service|barrier", re.IGNORECASE
)


def start(
    coordinator: str | None, processes: int | None, index: int | None, seconds: float
) -> None:
    """Joins this process to the others of its run, if there are any. Call it before any device use.

    Args:
      coordinator: HOST:PORT of process 0; None looks whether this is a Slurm step of several tasks
        or a TPU VM, and otherwise this process stays alone.
      processes: how many there are; 1 looks for nothing.
      index: which one this is.
      seconds: how long to wait for the others.

    Raises:
      UserError: the arguments do not fit together, or the others cannot be reached.
    """
    if jax.distributed.is_initialized():
        return
    if coordinator is None:
        if index is not None or (processes or 1) > 1:
            raise UserError("--processes and --process_index need --coordinator=HOST:PORT")
        if processes is None and (in_slurm_step() or on_tpu_vm()):
            _initialise(seconds)
        return
    if processes is None or index is None:
        raise UserError(f"--coordinator={coordinator} needs --processes=N and --process_index=I")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise UserError(f"--coordinator={coordinator}: write it as HOST:PORT")
    if not 0 <= index < processes:
        raise UserError(
            f"--process_index={index}: with --processes={processes} it goes from 0 to "
            f"{processes - 1}"
        )
    if processes > 1:
        roll_call.answer((host.strip("[]"), int(port)), processes, index, seconds)
        _initialise(
            seconds,
            coordinator_address=coordinator,
            num_processes=processes,
            process_id=index,
            cluster_detection_method="deactivate",
        )


def in_slurm_step() -> bool:
    """Whether `srun` started this process as one of several tasks, as JAX reads Slurm's variables.

    A shell in an allocation, or a script without `srun`, has no step and stays alone.
    """
    names = ("JOB_ID", "STEP_NODELIST", "NTASKS", "PROCID", "LOCALID")
    if not all(f"SLURM_{name}" in os.environ for name in names):
        return False
    return int(os.environ["SLURM_NTASKS"]) > 1


def on_tpu_vm() -> bool:
    """Whether this is a TPU VM that may be one of several; asks no server.

    Where the environment names the hosts, it decides. A VM of Google's Compute Engine has to be
    asked for its neighbours, which JAX does; JAX itself sets TPU_SKIP_MDS_QUERY, when it is
    imported, where there is no TPU chip.
    """
    platforms = allowed_platforms()
    if platforms and "tpu" not in platforms:
        return False
    if "TPU_LIBRARY_PATH" not in os.environ and importlib.util.find_spec("libtpu") is None:
        return False
    if int(os.environ.get("MEGASCALE_NUM_SLICES") or 1) > 1:
        return True
    hosts = os.environ.get("TPU_PROCESS_ADDRESSES") or os.environ.get("TPU_WORKER_HOSTNAMES")
    if hosts:
        return "," in hosts
    return "TPU_SKIP_MDS_QUERY" not in os.environ


def allowed_platforms() -> list[str]:
    """The kinds of devices that JAX was told to keep to, or none."""
    named = getattr(jax.config, "jax_platforms", None) or ""
    return [name for name in named.split(",") if name]


def _initialise(seconds: float, **arguments: Any) -> None:
    # The only collectives between processes that a CPU has.
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(initialization_timeout=max(int(seconds), 1), **arguments)
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"the processes of this run cannot be joined ({reason}); give --coordinator, "
            "--processes and --process_index, or --processes=1 for this machine alone"
        ) from None


def several() -> bool:
    """Whether the run has more than one process."""
    # In that order: asked before there are several, a count of processes would touch the devices.
    return jax.distributed.is_initialized() and jax.process_count() > 1


def is_first() -> bool:
    """Whether this is the process that writes and prints."""
    return not several() or jax.process_index() == 0


def say(text: str) -> None:
    """Prints a line, in the first process."""
    if is_first():
        print(text, flush=True)


def first_does(action: Callable[[], None]) -> None:
    """Runs `action` in the first process, while the others wait.

    Raises:
      UserError: `action` has raised one; in every process.
    """
    if not several():
        action()
        return
    message, raised = b"", None
    if is_first():
        try:
            action()
        except UserError as error:
            raised, message = error, str(error).encode()[:_MESSAGE_BYTES]
    sent = np.zeros(_MESSAGE_BYTES, np.uint8)
    sent[: len(message)] = list(message)
    received = bytes(multihost_utils.broadcast_one_to_all(sent)).rstrip(b"\0")
    if received:
        raise raised or UserError(received.decode(errors="replace"))


def check_same(what: str, value: str) -> None:
    """Raises UserError in every process unless `value` is the same in all of them.

    Args:
      what: the message, with the numbers of those that differ at its `{}`.
      value: a text.
    """
    if not several():
        return
    sums = multihost_utils.process_allgather(np.uint32(zlib.crc32(value.encode())))
    different = [str(index) for index, found in enumerate(sums) if found != sums[0]]
    if different:
        raise UserError(what.format(", ".join(different)))


def local(tree: T) -> T:
    """The arrays of `tree`, whole, on one device of this process where there are several processes.

    An array that spans processes can only be used by all of them in step. The copy can be used by
    each at will, by code that knows nothing of processes. All processes must call this.
    """
    if not several():
        return tree

    def copy(leaf: jax.Array) -> jax.Array:
        if not leaf.is_fully_replicated:
            assert isinstance(leaf.sharding, jax.sharding.NamedSharding)
            whole = jax.sharding.NamedSharding(leaf.sharding.mesh, jax.sharding.PartitionSpec())
            leaf = jax.jit(_unchanged, out_shardings=whole)(leaf)
        return leaf.addressable_data(0)

    return jax.tree.map(copy, tree)


def _unchanged(leaf: jax.Array) -> jax.Array:
    return leaf


@contextlib.contextmanager
def stop_together() -> Iterator[Callable[[], str | None]]:
    """While open, SIGTERM or Ctrl-C at any process stops all of them at the same step.

    JAX's preemption service does the agreeing: it notes a SIGTERM, and processes that have been
    told exchange, in the background, how far each has come; the next step that none of them has
    reached is where all stop. Between signals a question costs no message at all, where an
    all-reduce of "did you hear something?" would cost every step of the run one.

    Yields:
      A function to be called once before every step by every process; says why to stop, or None.
    """
    # The service counts calls, not steps: what it answers must come round one by one.
    calls = itertools.count()
    before = signal.getsignal(signal.SIGINT)

    def pass_on(number: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, before)
        # The service listens to SIGTERM alone.
        os.kill(os.getpid(), signal.SIGTERM)

    def stopped() -> str | None:
        reached = multihost_utils.reached_preemption_sync_point(next(calls))
        return "a signal to one of the processes" if reached else None

    signal.signal(signal.SIGINT, pass_on)
    try:
        yield stopped
        with no_waiting_for_the_lost():
            _leave_together()
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_together() -> None:
    """Waits until no process can still begin to agree where to stop.

    JAX's service answers a signal by asking every process how far it has come, and waits three
    minutes for one that has left already, with everything that this process does on its way out.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    multihost_utils.sync_global_devices("all processes have done their work")
    time.sleep(_NOTICE_SECONDS)


@contextlib.contextmanager
def no_waiting_for_the_lost(last: Callable[[], None] | None = None) -> Iterator[None]:
    """Ends this process at once when what is inside fails, where there are several processes.

    `last` is called before a mistake that has a name ends it: what is known is written down.

    The usual way out closes checkpoints and leaves JAX's service in an orderly manner, and both
    wait minutes for processes that are not there any more, or that wait for this one.
    """
    try:
        yield
    except (Exception, KeyboardInterrupt) as error:
        if several():
            if last is not None and isinstance(error, UserError):
                with contextlib.suppress(UserError):
                    last()
            give_up(error)
        raise


def give_up(error: BaseException) -> NoReturn:
    """Says why in one line, or with a traceback what nobody foresaw, and ends the process."""
    prefix = f"jaxgan: process {jax.process_index()}:"
    sys.stdout.flush()
    if isinstance(error, UserError):
        code, text = MISTAKE, f"{prefix} {error}"
    elif isinstance(error, KeyboardInterrupt):
        code, text = INTERRUPTED, f"{prefix} interrupted; what is saved is as it was"
    elif isinstance(error, jax.errors.JaxRuntimeError) and _GONE.search(str(error)):
        code = LOST
        text = (
            f"{prefix} another process has ended or cannot be reached; what is saved is as it "
            "was, and the same commands go on from there"
        )
    else:
        code, text = 1, "".join(traceback.format_exception(error)).rstrip()
    print(text, file=sys.stderr, flush=True)
    if is_first() and code != LOST:
        time.sleep(_LAST_SECONDS)
    os._exit(code)
