"""Whether a GAN's training goes wrong, from two figures of each interval between console lines.

`critic_accuracy` is the share of real and fake samples that the critic tells apart; `diversity` how
far apart two fakes are over how far apart two real samples are (see `systems.balance`). Something
is said only of what lasts: `LASTING` intervals in a row. The first `LEARNING` intervals of a run do
not count, in which every generator makes one grey blot and every critic notices.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

LASTING = 5
LEARNING = 5

# Below this share of the data's diversity most of the modes, or of what lies within one, are gone.
COLLAPSED = 0.5
# Above this accuracy a critic is hardly ever wrong, and its gradient says little.
TOO_STRONG = 0.99
# Within this of one half a critic only guesses. That is also where a good run ends, so it is a
# fault only where the fakes' diversity shows that there is something to find.
GUESSING = 0.02
ALIKE = (0.8, 1.25)

SENTENCES = {
    "collapse": "the samples have much less variety than the data: the generator is collapsing; "
    "of what --help lists for this experiment try --minibatch_discrimination, --penalty=r1 or, "
    "without classes, --packing=2",
    "strong": "the critic is almost never wrong, so the generator learns little from it; of what "
    "--help lists for this experiment try --penalty=r1, a lower learning rate or --augment",
    "weak": "the critic only guesses, though the samples' variety is not the data's; of what "
    "--help lists for this experiment try --n_critic=2 or a weaker penalty",
}
METRICS = ("critic_accuracy", "diversity")


@dataclass(frozen=True)
class Episode:
    """Something that stayed wrong: which of `SENTENCES`, and its first and last step."""

    sign: str
    first: int
    last: int


def signs(accuracy: float, diversity: float) -> set[str]:
    """What is wrong in one interval; not-a-number says nothing."""
    found = set()
    if diversity < COLLAPSED:
        found.add("collapse")
    if accuracy > TOO_STRONG:
        found.add("strong")
    alike = math.isnan(diversity) or ALIKE[0] <= diversity <= ALIKE[1]
    if abs(accuracy - 0.5) <= GUESSING and not alike:
        found.add("weak")
    return found


def episodes(
    steps: Sequence[int], accuracy: Sequence[float], diversity: Sequence[float]
) -> list[Episode]:
    """All that stayed wrong in a run, by its first step.

    Args:
      steps: the last of each interval, ascending, from the beginning of the run.
      accuracy: critic_accuracy of each; not-a-number where there is none.
      diversity: likewise.
    """
    found: list[Episode] = []
    lasted = dict.fromkeys(SENTENCES, 0)
    for index, pair in enumerate(zip(accuracy, diversity, strict=True)):
        now = signs(*pair) if index >= LEARNING else set()
        for sign in SENTENCES:
            lasted[sign] = lasted[sign] + 1 if sign in now else 0
            if lasted[sign] == LASTING:
                found.append(Episode(sign, steps[index - LASTING + 1], steps[index]))
            elif lasted[sign] > LASTING:
                latest = max(i for i, episode in enumerate(found) if episode.sign == sign)
                found[latest] = replace(found[latest], last=steps[index])
    return sorted(found, key=lambda episode: episode.first)


class Watch:
    """Notices, interval by interval, what has just lasted long enough to be said."""

    def __init__(self) -> None:
        self._seen = 0
        self._since = dict.fromkeys(SENTENCES, 0)

    def note(self, means: Mapping[str, float]) -> list[str]:
        """The sentences that this interval gives rise to: each once while its fault lasts.

        means: the interval's metrics by name; those of `METRICS` that it lacks say nothing.
        """
        self._seen += 1
        now = signs(*(means.get(name, math.nan) for name in METRICS))
        said = []
        for sign, sentence in SENTENCES.items():
            wrong = sign in now and self._seen > LEARNING
            self._since[sign] = self._since[sign] + 1 if wrong else 0
            if self._since[sign] == LASTING:
                said.append(sentence)
        return said


def in_words(means: Mapping[str, float]) -> list[str]:
    """The two figures for a console line, those that there are: ['accuracy 87%', ...]."""
    accuracy, diversity = (means.get(name, math.nan) for name in METRICS)
    words = []
    if math.isfinite(accuracy):
        words.append(f"accuracy {accuracy:.0%}")
    if math.isfinite(diversity):
        words.append(f"diversity {diversity:.2f}")
    return words
