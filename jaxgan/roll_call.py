"""The roll call: the processes of a run find each other before JAX starts its own service.

JAX's service ends a process with a stack trace where one of its number is missing, or comes twice,
after minutes. Here the first process listens on the very port that JAX is given a moment later,
the others say who they are, and what is wrong is one line in every process.
"""

import contextlib
import json
import socket
import time

from jaxgan.errors import UserError

_RETRY_SECONDS = 0.1
# A caller that says nothing (a port scanner) must not hold up the others.
_WORD_SECONDS = 2.0


def answer(coordinator: tuple[str, int], processes: int, process: int, seconds: float) -> None:
    """Returns in every process once all of them have called.

    Args:
      coordinator: host and port of process 0, which listens there until it has heard all.
      processes: how many there are.
      process: which one this is.
      seconds: how long to wait for the others.

    Raises:
      UserError: some do not come in time, two say that they are the same, their counts differ, or
        the port cannot be used. All that have called are told.
    """
    if process == 0:
        _hear(coordinator, processes, seconds)
    else:
        _call(coordinator, processes, process, seconds)


def _hear(coordinator: tuple[str, int], processes: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    port = coordinator[1]
    both = socket.has_dualstack_ipv6()
    try:
        server = socket.create_server(
            ("", port),
            family=socket.AF_INET6 if both else socket.AF_INET,
            dualstack_ipv6=both,
        )
    except OSError as error:
        raise UserError(
            f"--coordinator: process 0 cannot listen on port {port} ({error.strerror}); "
            "choose another port"
        ) from None
    present: dict[int, socket.socket] = {}
    with server, contextlib.ExitStack() as open_calls:
        wrong = None
        while wrong is None and len(present) < processes - 1:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                missing = sorted({*range(1, processes)} - present.keys())
                wrong = (
                    f"processes {', '.join(map(str, missing))} of {processes} did not come within "
                    f"{seconds:g} s; start one command for every --process_index"
                )
                break
            open_calls.enter_context(connection)
            connection.settimeout(_WORD_SECONDS)
            said = _read(connection)
            if said is None:
                continue
            process, count = said["process"], said["processes"]
            if count != processes:
                wrong = f"process {process} was told --processes={count} and process 0 {processes}"
            elif process in (0, *present):
                wrong = f"two processes were told --process_index={process}"
            else:
                present[process] = connection
                continue
            present[-1] = connection  # It is told as well.
        for connection in present.values():
            with contextlib.suppress(OSError):
                _write(connection, {"wrong": wrong})
    if wrong is not None:
        raise UserError(wrong)


def _call(coordinator: tuple[str, int], processes: int, process: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    name = f"{coordinator[0]}:{coordinator[1]}"
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise UserError(
                f"--coordinator={name}: nobody answered within {seconds:g} s; "
                "start process 0 there, and let the others reach that port"
            )
        try:
            connection = socket.create_connection(coordinator, timeout=min(left, 10.0))
            break
        except OSError:
            time.sleep(min(_RETRY_SECONDS, left))
    with connection:
        # Process 0 waits for the last of the processes, and has its say at the end.
        connection.settimeout(max(deadline - time.monotonic(), 0.0) + 2 * _WORD_SECONDS)
        with contextlib.suppress(OSError):
            _write(connection, {"process": process, "processes": processes})
        said = _read(connection)
    if said is None and time.monotonic() >= deadline:
        raise UserError(
            f"--coordinator={name}: not all processes came within {seconds:g} s; start one command "
            "for every --process_index"
        )
    if said is None or "wrong" not in said:
        raise UserError(
            f"--coordinator={name}: what answers is not process 0 of a run that begins; "
            "choose another port, or end the run that is there"
        )
    if said["wrong"] is not None:
        raise UserError(said["wrong"])


def _write(connection: socket.socket, message: dict) -> None:
    connection.sendall(json.dumps({"of": "jaxgan", **message}).encode() + b"\n")


def _read(connection: socket.socket) -> dict | None:
    """The next message, or None if what comes is none."""
    with contextlib.suppress(OSError, ValueError), connection.makefile("rb") as file:
        message = json.loads(file.readline(4096))
        if isinstance(message, dict) and message.get("of") == "jaxgan":
            return message
    return None
