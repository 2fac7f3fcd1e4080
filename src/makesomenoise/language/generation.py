"""What comes next: codes of an exact number, texts in a batch, text and sounds as a stream, how likely answers are.

Only the tokens that can come are scored: the rows of codes alone cost 1 % of a step, those of text 11 to 26 %.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from makesomenoise.language.config import LanguageError
from makesomenoise.language.prefix_cache import PrefixCache
from makesomenoise.language.sampling import Sampling, draw, log_softmax
from makesomenoise.language.speaker import Speaker


class Memory:
    """What was read of a conversation, so that its beginning is not read again when it goes on."""

    def __init__(self):
        self._state: Any = None
        self._tokens: list[int] = []

    def unread(self, tokens: Sequence[int]) -> list[int]:
        """What of the tokens [L] is still to be read, at least the last; forgets what they do not begin with."""
        known = 0
        while known < min(len(self._tokens), len(tokens) - 1) and self._tokens[known] == tokens[known]:
            known += 1
        if len(self._tokens) > known:
            self._state.crop(known)
        del self._tokens[known:]
        return list(tokens[known:])

    def read(self, model: Speaker, tokens: Sequence[int]) -> np.ndarray:
        """Reads tokens [L] that follow what was read: [1, H] what comes of the last."""
        self._state = self._state or model.engine.begin(1)
        self._tokens += tokens
        return model.engine.read(self._state, [tokens])


def sample_codes(
    model: Speaker,
    prompt: Sequence[int],
    unconditional: Sequence[int],
    count: int,
    sampling: Sampling,
    generator: np.random.Generator,
    candidates: int = 1,
    report: Callable[[float], object] | None = None,
) -> np.ndarray:
    """Draws sounds of exactly `count` codes.

    Args:
        model: makes them.
        prompt: tokens up to where the assistant is to speak.
        unconditional: the same without what was asked for; used where guidance is not 1.
        count: number of codes N.
        sampling: how they are drawn.
        generator: source of randomness.
        candidates: number of sounds C, drawn in one batch.
        report: called with the share that is drawn, now and again.

    Returns:
        [C, N] in [0, K).

    Raises:
        LanguageError: if there is nothing to make, or the context is too short for it.
    """
    if count < 1 or candidates < 1:
        raise LanguageError(f"Ask for at least one code and one candidate; got {count} and {candidates}.")
    guided, spell, engine = sampling.guidance != 1.0, model.vocabulary, model.engine
    branches = [prompt, unconditional] if guided else [prompt]
    check_fits(model, max(map(len, branches)) + 1 + count)
    state = engine.begin(len(branches))
    hidden = engine.read(state, [[*branch, spell.start] for branch in branches])
    rows = np.arange(len(branches)).repeat(candidates)
    hidden, state, codes = hidden[rows], state.chosen(rows), []
    while True:
        codes.append(draw(code_scores(model, hidden, sampling.guidance), sampling, generator))
        if report is not None:
            report(len(codes) / count)
        if len(codes) == count:
            return np.stack(codes, axis=1)
        hidden = engine.read(state, [[token] for token in spell.to_tokens(codes[-1]) * len(branches)])


def sample_texts(
    model: Speaker, prompts: Sequence[Sequence[int]], most: int, sampling: Sampling, generator: np.random.Generator
) -> list[list[int]]:
    """Draws the tokens of several answers in one batch, without those that end them; no sounds.

    Args:
        model: answers.
        prompts: tokens up to where the assistant is to speak, at least one prompt.
        most: the most tokens of an answer.
        sampling: how they are drawn; guidance is not used.
        generator: source of randomness.

    Raises:
        LanguageError: if the context is too short.
    """
    check_fits(model, max(map(len, prompts)) + most + 1)
    engine, end = model.engine, model.prompts.end_of_turn
    state, answers = engine.begin(len(prompts)), [[] for _ in prompts]
    open_, unread = set(range(len(prompts))), [list(prompt) for prompt in prompts]
    for _ in range(most):
        said = draw(text_scores(model, engine.read(state, unread)), sampling, generator).tolist()
        open_ -= {row for row in open_ if said[row] == end}
        for row in open_:
            answers[row].append(said[row])
        if not open_:
            break
        unread = [[token] for token in said]
    return answers


def stream_tokens(
    model: Speaker,
    prompt: Sequence[int],
    most: int,
    sampling: Sampling,
    generator: np.random.Generator,
    sounds: Sampling | None = None,
    memory: Memory | None = None,
) -> Iterator[int]:
    """Draws an answer token by token, without the token that ends it.

    Args:
        model: answers.
        prompt: tokens up to where the assistant is to speak.
        most: the most tokens; a sound that is open then is closed with one more.
        sampling: how text is drawn; guidance is not used.
        generator: source of randomness.
        sounds: how codes are drawn, where sounds may come; each then holds codes only, at least one, and is closed.
        memory: of the conversation so far; keeps what is read.

    Raises:
        LanguageError: if the context is too short.
    """
    check_fits(model, len(prompt) + most + 1)
    spell, memory, within, last = model.vocabulary, memory or Memory(), False, -1
    unread = memory.unread(prompt)
    for _ in range(most):
        hidden = memory.read(model, unread)
        if within:
            scores = sound_scores(model, hidden, may_end=last != spell.start)
            last = spell.first + int(draw(scores, sounds or sampling, generator)[0])
        else:
            last = int(draw(text_scores(model, hidden, sounds is not None), sampling, generator)[0])
        if last == model.prompts.end_of_turn:
            return
        within = last == spell.start or (within and last != spell.end)
        yield last
        unread = [last]
    if within:
        yield spell.end


def log_likelihood(
    model: Speaker,
    prompt: Sequence[int],
    answers: Sequence[Sequence[int]],
    at_once: int = 64,
    known: PrefixCache | None = None,
) -> np.ndarray:
    """Log-likelihood of each answer as a whole; the prompt is read once.

    Args:
        model: judges.
        prompt: tokens up to where the assistant is to speak.
        answers: tokens of each, none empty.
        at_once: how many answers are read together.
        known: prompts that were read before, and takes this one.

    Returns:
        [n] float32; higher fits better.

    Raises:
        LanguageError: if there is no answer, an empty one, or one too long for the context.
    """
    if not answers or not all(len(answer) for answer in answers):
        raise LanguageError("Give at least one answer to judge, and no empty one.")
    check_fits(model, len(prompt) + max(map(len, answers)))
    if known is None:
        state = model.engine.begin(1)
        last = model.engine.read(state, [prompt])
    else:
        read = known.read(tuple(prompt))
        state, last = read.state.chosen([0]), read.hidden  # what is known stays as it is
    batches = [answers[start : start + at_once] for start in range(0, len(answers), at_once)]
    return np.concatenate([_likelihoods(model, last, state, batch) for batch in batches])


def _likelihoods(model: Speaker, last: np.ndarray, state: Any, answers: Sequence[Sequence[int]]) -> np.ndarray:
    """Log-likelihood of answers after a prompt, of whose last token the model made `last` [1, H]."""
    inner = model.engine.read_branches(state, [answer[:-1] for answer in answers])
    firsts = np.concatenate(([0], np.cumsum([len(answer) - 1 for answer in answers])))[:-1]
    hidden = np.insert(inner, firsts, last, axis=0)  # before each answer what came of the prompt
    scores = np.concatenate((model.engine.text_scores(hidden), model.engine.audio_scores(hidden)), axis=1)
    tokens = [token for answer in answers for token in answer]
    found = log_softmax(scores)[np.arange(len(tokens)), tokens]
    return np.add.reduceat(found, firsts + np.arange(len(answers)))


def check_fits(model: Speaker, tokens: int) -> None:
    """Refuses what does not fit.

    Raises:
        LanguageError: if the context is shorter than so many tokens.
    """
    most = model.config.context_tokens
    if tokens > most:
        raise LanguageError(
            f"This takes {tokens} tokens, and the context has {most} (about {most / model.config.code_rate:.0f} s of "
            "sound): give a shorter sound or text, or ask for less."
        )


def code_scores(model: Speaker, hidden: np.ndarray, guidance: float = 1.0) -> np.ndarray:
    """Scores of the codes to come next.

    Args:
        model: scores.
        hidden: [R, H], where guidance is not 1 [2 R, H]: first all with what was asked for, then all without.
        guidance: scale of the difference that it makes.

    Returns:
        [R, K].
    """
    scores = model.engine.audio_scores(hidden)[:, : model.vocabulary.codebook_size]
    if guidance == 1.0:
        return scores
    asked, free = np.split(log_softmax(scores), 2)
    return free + guidance * (asked - free)


def text_scores(
    model: Speaker, hidden: np.ndarray, sounds: bool = False, scored: np.ndarray | None = None
) -> np.ndarray:
    """Scores of what may come in a text: no token that begins a turn, a sound only if there may be one.

    Args:
        model: scores.
        hidden: [R, H].
        sounds: whether there may be one.
        scored: [R, V] what the engine scores, if it is known.

    Returns:
        [R, start + 1]; the rows between text and the start of a sound are codes, which may not come.
    """
    spell = model.vocabulary
    scores = np.full((len(hidden), spell.start + 1 if sounds else spell.first), -np.inf, np.float32)
    scores[:, : spell.first] = model.engine.text_scores(hidden) if scored is None else scored
    specials = spell.text_tokenizer.all_special_ids
    scores[:, [t for t in specials if t != model.prompts.end_of_turn and t < spell.first]] = -np.inf
    if sounds:
        scores[:, spell.start] = model.engine.audio_scores(hidden)[:, spell.start - spell.first]
    return scores


def sound_scores(model: Speaker, hidden: np.ndarray, may_end: bool) -> np.ndarray:
    """Scores [R, K + 2] of what may come within a sound: codes, and its end."""
    spell, scores = model.vocabulary, model.engine.audio_scores(hidden)
    scores[:, spell.start - spell.first] = -np.inf
    if not may_end:
        scores[:, spell.end - spell.first] = -np.inf
    return scores
