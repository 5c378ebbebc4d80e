"""What every peer's program does: it answers lines of JSON with lines of JSON.

It prints `ready` once its step is compiled, then answers `check` (the checked steps, from the given
weights), `time` (steps against the clock) and `quit`. Nothing else reaches standard output.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from benchmarks.peers.exchange import Round, Subject, read


class Peer(Protocol):
    """One framework's game.

    Attributes:
      versions: of the packages that it stands on.
      shares_fake: whether the phases of a step reuse one forward pass of the generator.
    """

    versions: dict[str, str]
    shares_fake: bool

    def reset(self) -> None:
        """Puts the given weights back, and the optimisers as they are before step 1."""

    def weights(self, player: str) -> list[np.ndarray]:
        """Copies of a player's parameters."""

    def checked_step(self, rounds: list[Round], turned: Callable[[str], None]) -> dict[str, float]:
        """A step on given data in float32: what each phase lost, by its name.

        Calls `turned` with the name of each phase that it ends.
        """

    def timed_step(self) -> None:
        """A step on data that is already there, random numbers of its own; waits for the device."""


def check(peer: Peer, subject: Subject) -> dict[str, Any]:
    """Takes the checked steps; returns their losses, and which players moved in which phase."""
    peer.reset()
    players = list(subject.about["players"])
    moved: dict[str, set[str]] = {phase["name"]: set() for phase in subject.about["phases"]}
    before = {player: peer.weights(player) for player in players}

    def turned(phase: str) -> None:
        for player in players:
            after = peer.weights(player)
            pairs = zip(before[player], after, strict=True)
            if any(not np.array_equal(old, new) for old, new in pairs):
                moved[phase].add(player)
            before[player] = after

    losses = [peer.checked_step(rounds, turned) for rounds in subject.steps()]
    return {"losses": losses, "moved": {phase: sorted(names) for phase, names in moved.items()}}


def time_steps(peer: Peer, seconds: float) -> dict[str, float]:
    """Takes steps for about that long, at least one."""
    began, steps = time.perf_counter(), 0
    while steps == 0 or time.perf_counter() - began < seconds:
        peer.timed_step()
        steps += 1
    return {"milliseconds": 1000 * (time.perf_counter() - began) / steps, "steps": steps}


def serve(build: Callable[[Subject], Peer], directory: Path) -> int:
    """Answers standard input until it is told to quit; returns the exit code."""
    answers = _take_standard_output()

    def say(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    try:
        subject = read(directory)
        peer = build(subject)
        peer.reset()
        peer.timed_step()
        say(
            {
                "ready": True,
                "versions": peer.versions,
                "shares_fake": peer.shares_fake,
                "parameters": {
                    player: sum(array.size for array in peer.weights(player))
                    for player in subject.about["players"]
                },
            }
        )
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "quit":
                break
            if request["do"] == "check":
                say(check(peer, subject))
            elif request["do"] == "time":
                say(time_steps(peer, request["seconds"]))
            else:
                raise ValueError(f"{request['do']!r} is not one of check, time, quit")
    except Exception as error:
        say({"error": " ".join(f"{type(error).__name__}: {error}".split())})
        return 1
    return 0


def parser(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all workers have."""
    made = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    made.add_argument("--subject_dir", type=Path, required=True, help="what `export` has written")
    return made


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _take_standard_output() -> IO[str]:
    """Keeps standard output for the answers: whatever else is printed goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers
