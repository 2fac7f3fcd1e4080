"""Names for sounds that are given as codes: which of a list fits, and whether a text does."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from makesomenoise.language import wording
from makesomenoise.language.config import LanguageError
from makesomenoise.language.generation import log_likelihood
from makesomenoise.language.listening import prompt_about, windows
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound

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


def classify(
    model: LanguageModel,
    sounds: Sequence[Sound],
    labels: Sequence[str],
    window: float | None = None,
    prior: float = PRIOR,
) -> list[list[Ranked]]:
    """Ranks labels for each of the sounds by how likely the model names the sound so.

    Some names are likelier than others whatever is heard: log p(label | sound) - prior * log p(label | no sound).

    Args:
        model: names the sounds.
        sounds: of any lengths.
        labels: different names.
        window: cut each sound into windows of so many seconds, and take the mean of what they score.
        prior: how much of what is said without a sound is subtracted.

    Returns:
        For each sound the labels, the likeliest first.

    Raises:
        LanguageError: as `checked_labels`, `windows` and `prompt_about`.
    """
    names = checked_labels(labels)
    said = [[*model.vocabulary.text(name), model.prompts.end_of_turn] for name in names]
    room = max(map(len, said))
    pieces = [
        [w.sound for w in windows(s, window, model.config.code_rate)] if window is not None else [s] for s in sounds
    ]
    prompts = [[prompt_about(model, wording.CLASSIFY, piece, room) for piece in each] for each in pieces]
    free = prior * log_likelihood(model, prompt_about(model, wording.CLASSIFY, room=room), said) if prior else 0.0
    scores = [torch.stack([log_likelihood(model, prompt, said) for prompt in each]).mean(0) for each in prompts]
    return [_ranked(names, (score - free).softmax(0)) for score in scores]


def recognised(model: LanguageModel, sounds: Sequence[Sound], text: str) -> list[float]:
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
        scores.append(torch.cat([log_likelihood(model, prompt, said) for prompt in prompts]))
    return torch.stack(scores).logsumexp(0).tolist()


def _ranked(names: list[str], chances: Tensor) -> list[Ranked]:
    order = chances.argsort(descending=True).tolist()
    return [Ranked(names[place], float(chances[place])) for place in order]
