"""A process that takes training steps when it is told to.

It speaks JSON, a line each, over its standard input and output; see `Contestant.ask`. Between two
requests it waits for the next line, so that contestants that are timed in turns leave each other
the machine.
"""

import contextlib
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgan.errors import UserError

ROOT = Path(__file__).parent.parent
# What results call jaxgan's step and its variants; every other contestant is a peer.
JAXGAN, PLAIN, UNSHARED = "jaxgan", "plain flax", "jaxgan, two fakes"
BFLOAT16 = "jaxgan bf16"
OWN = (JAXGAN, PLAIN, UNSHARED, BFLOAT16)
# Compiling a large step on a loaded machine takes minutes; a process that hangs takes forever.
PATIENCE_SECONDS = 1800.0
_JAX_NOTE = re.compile(r"\n-+\nFor simplicity, JAX has removed its internal frames .*\Z")


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment, in which modules are those of this checkout, with changes."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, **changes}


def run_python(words: Sequence[str], changes: Mapping[str, str], what: str | None = None) -> str:
    """What `python WORDS` prints, in a process of its own.

    Args:
      words: the arguments.
      changes: to the environment.
      what: what the error's message calls it.

    Raises:
      UserError: it failed; the message has its last words.
    """
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(changes),
    )
    if done.returncode:
        said = last_words(done.stderr) or "no words"
        raise UserError(f"{what or 'python ' + ' '.join(words[:4])} failed: {said}")
    return done.stdout


def last_words(errors: str) -> str:
    """The last line that a process wrote to its standard error, but for the note JAX adds to it."""
    return _JAX_NOTE.sub("", errors.strip()).rpartition("\n")[2]


class Contestant:
    """A process started as `python ARGUMENTS`.

    Attributes:
      label: what people call it.
      ready: the line that it printed when it was ready, as a dictionary.
      idle_cpu_seconds: processor time that it used while it should have been waiting.
      idle_seconds: for how long it was waiting.
    """

    def __init__(
        self,
        label: str,
        arguments: Sequence[str],
        changes: Mapping[str, str] | None = None,
        *,
        patience: float = PATIENCE_SECONDS,
    ):
        """Starts the process and waits until it is ready.

        Raises:
          UserError: it ended, hung or said that it cannot go on.
        """
        self.label = label
        self.idle_cpu_seconds = self.idle_seconds = 0.0
        self._patience = patience
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
            env=environment(changes or {}),
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.ready = self._answer()
        except BaseException:
            self._process.kill()
            self.close()
            raise
        self._answered, self._used = time.monotonic(), self._cpu_seconds()

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """Sends a request and waits for its answer.

        Args:
          do: "check", "time", or another word that this contestant knows.
          options: the request's other entries, as `seconds`.

        Raises:
          UserError: the contestant ended, hung or said that it cannot go on.
        """
        self.idle_seconds += time.monotonic() - self._answered
        self.idle_cpu_seconds += self._cpu_seconds() - self._used
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._failure(f"ended before it was asked to {do!r}") from None
        answer = self._answer()
        self._answered, self._used = time.monotonic(), self._cpu_seconds()
        return answer

    def close(self) -> None:
        """Ends the process; a second call does nothing."""
        if self._process.poll() is None:
            try:
                assert self._process.stdin is not None
                self._process.stdin.write('{"do": "quit"}\n')
                self._process.stdin.close()
                self._process.wait(timeout=10)
            except (subprocess.TimeoutExpired, ValueError, OSError):
                self._process.kill()
                self._process.wait()
        self._reader.join()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent is of no use to anybody
                    stream.close()
        self._errors.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):
                self._lines.put(line)
        self._lines.put("")

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=self._patience)
        except queue.Empty:
            raise self._failure(f"said nothing for {self._patience:.0f} s") from None
        if not line:
            raise self._failure("ended without a word")
        answer = json.loads(line)
        if "error" in answer:
            raise self._failure(answer["error"])
        return answer

    def _failure(self, reason: str) -> UserError:
        self._errors.seek(0)
        said = last_words(self._errors.read())
        return UserError(f"{self.label}: {reason}" + (f" ({said})" if said else ""))

    def _cpu_seconds(self) -> float:
        """Processor time so far; zero where the system does not show it as Linux does."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
