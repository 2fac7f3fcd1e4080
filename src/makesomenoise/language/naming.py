"""Names for sounds that are given as codes: which of a list fits, and whether a text does."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from makesomenoise.errors import MakeSomeNoiseError
from makesomenoise.language import wording
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import HEARING, Hearing, Report, nobody, part_of, prompt_about, windows
from makesomenoise.language.prefix_cache import PrefixCache
from makesomenoise.language.prompts import Sound
from makesomenoise.language.sampling import log_softmax
from makesomenoise.language.speaker import Speaker

# Of what is said without a sound, all subtracts too much: half named most sounds right.
PRIOR = 0.5


@dataclass(frozen=True)
class Ranked:
    """How well a label fits a sound.

    Attributes:
        label: as it was given.
        probability: among the labels that were given, in [0, 1].
    """

    label: str
    probability: float


@dataclass(frozen=True)
class Ranking:
    """How well labels fit a sound.

    Attributes:
        number: which of the sounds that were given, from 0.
        labels: the likeliest first; none where the sound could not be used.
        error: why it could not.
    """

    number: int
    labels: tuple[Ranked, ...] = ()
    error: MakeSomeNoiseError | None = None


def checked_labels(labels: Sequence[str]) -> list[str]:
    """Labels without the space around them.

    Raises:
        LanguageError: if there is no label, an empty one, or one twice, whatever its case.
    """
    names = [label.strip() for label in labels]
    twice = [name for n, name in enumerate(names) if name.lower() in {other.lower() for other in names[:n]}]
    if not names or not all(names):
        raise LanguageError("Give at least one label, and none that is empty.")
    if twice:
        raise LanguageError(f"The label '{twice[0]}' is given twice: give each once.")
    return names


class Namer:
    """Ranks labels for sounds by how likely a model names them so.

    Some names are likelier than others whatever is heard: log p(label | sound) - prior * log p(label | no sound).

    Args:
        model: names the sounds.
        labels: different names.
        prior: how much of what is said without a sound is subtracted.

    Raises:
        LanguageError: as `checked_labels`.
    """

    def __init__(self, model: Speaker, labels: Sequence[str], prior: float = PRIOR):
        self._model, self._names = model, checked_labels(labels)
        self._said = [[*model.vocabulary.text(name), model.prompts.end_of_turn] for name in self._names]
        self._room = max(map(len, self._said))
        self._free = prior * self._scores() if prior else 0.0

    def rank_each(
        self, sounds: Iterable[Hearing], window: float | None = None, report: Report | None = None
    ) -> Iterator[Ranking]:
        """Ranks the labels for each of many sounds as they are heard; one that fails stops none of the others.

        Args:
            sounds: of any lengths.
            window: see `rank`.
            report: is told how many sounds are done, parts of one included.
        """
        told = report or nobody
        for number, sound in enumerate(sounds):
            try:
                heard = sound(part_of(told, number, 0.0, HEARING))
                yield Ranking(number, tuple(self.rank(heard, window, part_of(told, number, HEARING, 1.0))))
            except MakeSomeNoiseError as error:
                yield Ranking(number, error=error)
            told(number + 1)

    def rank(
        self,
        sound: Sound,
        window: float | None = None,
        report: Report = nobody,
        known: PrefixCache | None = None,
    ) -> list[Ranked]:
        """The labels, the likeliest first.

        Args:
            sound: of any length.
            window: cut it into windows of so many seconds, and take the mean of what they score.
            report: is told how much is done, 0 to 1.
            known: see `log_likelihood`.

        Raises:
            LanguageError: as `windows` and `prompt_about`.
        """
        rate = self._model.config.code_rate
        pieces = [sound] if window is None else [piece.sound for piece in windows(sound, window, rate)]
        found = []
        for piece in pieces:
            found.append(self._scores(piece, known))
            report(len(found) / len(pieces))
        scores = np.stack(found).mean(0) - self._free
        chances = np.exp(log_softmax(scores))
        order = np.argsort(-chances, kind="stable").tolist()
        return [Ranked(self._names[place], float(chances[place])) for place in order]

    def _scores(self, sound: Sound | None = None, known: PrefixCache | None = None) -> np.ndarray:
        prompt = prompt_about(self._model, wording.CLASSIFY, sound, self._room)
        return log_likelihood(self._model, prompt, self._said, known=known)


def recognised(model: Speaker, sounds: Sequence[Sound], text: str) -> list[float]:
    """How likely the model is to say a text of each of the sounds, as its caption or as its name: log-likelihoods.

    Args:
        model: judges.
        sounds: of any lengths.
        text: not empty.

    Raises:
        LanguageError: as `prompt_about`.
    """
    clause, end = wording.clause(text), model.prompts.end_of_turn
    ways = [(wording.CAPTION, f"{wording.capital(clause)}."), (wording.CLASSIFY, clause)]
    scores = []
    for question, answer in ways:
        said = [[*model.vocabulary.text(answer), end]]
        prompts = [prompt_about(model, question, sound, len(said[0])) for sound in sounds]
        scores.append(np.concatenate([log_likelihood(model, prompt, said) for prompt in prompts]))
    return np.logaddexp(*scores).tolist()
