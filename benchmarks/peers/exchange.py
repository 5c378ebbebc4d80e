"""The directory in which a game is handed to a peer: `subject.json` and `subject.npz`.

The arrays are `params/PLAYER/PATH` and `variables/PLAYER/PATH` as Flax names and lays them out,
`constants/NAME`, and what a step reads, `step{s}/round{r}/NAME`. Pictures and films in [-1, 1] are
`real`; `low` and `high`; `input` and `target`; or `a` and `b`. Beside `real` there may be `text`,
ids, and `meaning`, a number of what it says. Sounds are `samples`, with their `mel`. Random numbers
are `latent`; `mix`, the share of the real in the points where a gradient penalty is taken;
`dropout{n}`, what layer n multiplies its input by; `wrong`, texts of other rows, and `wrong_found`,
whether the row's is wrong; and `shown_a`, `shown_b`, the places of the older fakes that a full pool
shows (-1: the new one). The one constant is `filters` [bins, bands], of the mel spectrograms.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

Round = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Subject:
    """One game.

    Attributes:
      about: `name`, `game` (as `describe` calls it), `batch_size`, `phases` in order (`name`,
        `players`, `repeats`, `gain`, and whether it `generates`: moves those who make the fakes),
        `simultaneous`, `loss`, `weights` of its terms, `spectrogram` (`rate`, `fft`, `hop` and
        `mels`; empty in games without sounds), `pools` (their sizes), `networks` (a player's
        `kind` and sizes) and `players` (its Adam's constants).
      arrays: weights and data, by the names above.
    """

    about: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def params(self, player: str) -> dict[str, np.ndarray]:
        """A player's parameters by their Flax paths."""
        return self._under(f"params/{player}/")

    def variables(self, player: str) -> dict[str, np.ndarray]:
        """A player's variables by their Flax paths, the collection's name first."""
        return self._under(f"variables/{player}/")

    def constants(self) -> dict[str, np.ndarray]:
        """What the losses are made of beside that, by name."""
        return self._under("constants/")

    def _under(self, prefix: str) -> dict[str, np.ndarray]:
        return {
            name.removeprefix(prefix): array
            for name, array in self.arrays.items()
            if name.startswith(prefix)
        }

    def steps(self) -> list[list[Round]]:
        """What each step reads: its rounds, and each round's arrays by name."""
        rounds: dict[tuple[int, int], Round] = {}
        for name, array in self.arrays.items():
            if name.startswith("step"):
                step, number, kind = name.split("/")
                place = int(step.removeprefix("step")), int(number.removeprefix("round"))
                rounds.setdefault(place, {})[kind] = array
        count = 1 + max(step for step, _ in rounds)
        return [[rounds[place] for place in sorted(rounds) if place[0] == s] for s in range(count)]


def write(directory: Path, subject: Subject) -> None:
    """Writes a game to a directory, which is made if need be."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "subject.json").write_text(json.dumps(subject.about, indent=2) + "\n")
    with (directory / "subject.npz").open("wb") as file:
        np.savez(file, **subject.arrays)  # type: ignore[arg-type]


def read(directory: Path) -> Subject:
    """Reads what `write` has written."""
    about = json.loads((directory / "subject.json").read_text())
    with np.load(directory / "subject.npz") as arrays:
        return Subject(about, dict(arrays))
