"""What comes next: codes of an exact number, texts in a batch, text and sounds as a stream, how likely answers are.

Keys and values of what came before are kept in a growing cache: a static one measured no faster on the CPU, and the
scores of code rows alone cost 1 % of a step, where those of the whole vocabulary cost 11 to 26 %.
"""

import copy
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import DynamicCache

from makesomenoise.language.config import LanguageError
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.sampling import Sampling, draw


class Memory:
    """What was read of a conversation, so that its beginning is not read again when it goes on."""

    def __init__(self):
        self._cache = DynamicCache()
        self._tokens: list[int] = []

    def unread(self, tokens: Sequence[int]) -> list[int]:
        """What of the tokens [L] is still to be read, at least the last; forgets what they do not begin with."""
        known = 0
        while known < min(len(self._tokens), len(tokens) - 1) and self._tokens[known] == tokens[known]:
            known += 1
        if len(self._tokens) > known:
            self._cache.crop(known - len(self._tokens))
        del self._tokens[known:]
        return list(tokens[known:])

    def read(self, model: LanguageModel, tokens: Sequence[int]) -> Tensor:
        """Reads tokens [L] that follow what was read: scores [1, V] of what comes next."""
        given = torch.tensor([list(tokens)], device=model.rows.device)
        hidden = model.hidden(given, cache=self._cache)[:, -1]
        self._tokens += tokens
        return model.logits(hidden).float()


class _Rows:
    """Conversations that go on side by side, padded on their left."""

    def __init__(self, model: LanguageModel, rows: Sequence[Sequence[int]], times: int = 1):
        self._model, device, longest = model, model.rows.device, max(map(len, rows))
        tokens = torch.tensor([[*[0] * (longest - len(row)), *row] for row in rows], device=device)
        mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=device)
        self._tokens, self._mask = tokens.repeat_interleave(times, 0), mask.repeat_interleave(times, 0)
        self._positions = (self._mask.cumsum(1) - 1).clamp_min(0)
        self._cache = DynamicCache()

    def read(self) -> Tensor:
        """What the model makes of each row [rows * times, H], each row `times` times in a row."""
        return self._model.hidden(self._tokens, self._mask, self._cache, self._positions)[:, -1]

    def append(self, tokens: Tensor) -> None:
        """Adds a token to each row, [rows * times]."""
        self._tokens = tokens[:, None]
        self._mask = F.pad(self._mask, (0, 1), value=1)
        self._positions = self._positions[:, -1:] + 1


@torch.inference_mode()
def sample_codes(
    model: LanguageModel,
    prompt: Sequence[int],
    unconditional: Sequence[int],
    count: int,
    sampling: Sampling,
    generator: torch.Generator,
    candidates: int = 1,
) -> Tensor:
    """Draws sounds of exactly `count` codes.

    Args:
        model: makes them.
        prompt: tokens up to where the assistant is to speak.
        unconditional: the same without what was asked for; used where guidance is not 1.
        count: number of codes N.
        sampling: how they are drawn.
        generator: source of randomness, on the CPU.
        candidates: number of sounds C, drawn in one batch.

    Returns:
        [C, N] in [0, K).

    Raises:
        LanguageError: if there is nothing to make, or the context is too short for it.
    """
    if count < 1 or candidates < 1:
        raise LanguageError(f"Ask for at least one code and one candidate; got {count} and {candidates}.")
    guided = sampling.guidance != 1.0
    branches = [prompt, unconditional] if guided else [prompt]
    check_fits(model, max(map(len, branches)) + 1 + count)
    rows = _Rows(model, [[*branch, model.vocabulary.start] for branch in branches], candidates)
    table, codes = model.output_rows[: model.vocabulary.codebook_size].contiguous(), []
    for _ in range(count):
        hidden = rows.read()
        scores = F.linear(hidden, table.to(hidden.dtype)).float()
        if guided:
            asked, free = scores.log_softmax(-1).chunk(2)
            scores = free + sampling.guidance * (asked - free)
        codes.append(draw(scores, sampling, generator))
        rows.append((model.vocabulary.first + codes[-1]).repeat(len(branches)))
    return torch.stack(codes, dim=1)


@torch.inference_mode()
def sample_texts(
    model: LanguageModel, prompts: Sequence[Sequence[int]], most: int, sampling: Sampling, generator: torch.Generator
) -> list[list[int]]:
    """Draws the tokens of several answers in one batch, without those that end them; no sounds.

    Args:
        model: answers.
        prompts: tokens up to where the assistant is to speak, at least one prompt.
        most: the most tokens of an answer.
        sampling: how they are drawn; guidance is not used.
        generator: source of randomness, on the CPU.

    Raises:
        LanguageError: if the context is too short.
    """
    check_fits(model, max(map(len, prompts)) + most + 1)
    rows, barred, end = _Rows(model, prompts), forbidden(model, sounds=False), model.prompts.end_of_turn
    answers: list[list[int]] = [[] for _ in prompts]
    open_ = set(range(len(prompts)))
    for _ in range(most):
        drawn = draw(model.logits(rows.read()).float().masked_fill(barred, -torch.inf), sampling, generator)
        said = drawn.tolist()
        open_ -= {row for row in open_ if said[row] == end}
        for row in open_:
            answers[row].append(said[row])
        if not open_:
            break
        rows.append(drawn)
    return answers


@torch.inference_mode()
def stream_tokens(
    model: LanguageModel,
    prompt: Sequence[int],
    most: int,
    sampling: Sampling,
    generator: torch.Generator,
    sounds: Sampling | None = None,
    memory: Memory | None = None,
) -> Iterator[int]:
    """Draws an answer token by token, without the token that ends it.

    Args:
        model: answers.
        prompt: tokens up to where the assistant is to speak.
        most: the most tokens; a sound that is open then is closed with one more.
        sampling: how text is drawn; guidance is not used.
        generator: source of randomness, on the CPU.
        sounds: how codes are drawn, where sounds may come; each then holds codes only, at least one, and is closed.
        memory: of the conversation so far; keeps what is read.

    Raises:
        LanguageError: if the context is too short.
    """
    check_fits(model, len(prompt) + most + 1)
    spell, memory, within, last = model.vocabulary, memory or Memory(), False, -1
    outside, inside = forbidden(model, sounds is not None), forbidden(model, within=True)
    unread = memory.unread(prompt)
    for _ in range(most):
        scores = memory.read(model, unread).masked_fill(inside if within else outside, -torch.inf)
        if last == spell.start:
            scores[:, spell.end] = -torch.inf
        last = int(draw(scores, sounds if within and sounds else sampling, generator))
        if last == model.prompts.end_of_turn:
            return
        within = last == spell.start or (within and last != spell.end)
        yield last
        unread = [last]
    if within:
        yield spell.end


@torch.inference_mode()
def log_likelihood(
    model: LanguageModel, prompt: Sequence[int], answers: Sequence[Sequence[int]], at_once: int = 64
) -> Tensor:
    """Log-likelihood of each answer as a whole; the prompt is read once.

    Args:
        model: judges.
        prompt: tokens up to where the assistant is to speak.
        answers: tokens of each, none empty.
        at_once: how many answers are read in one batch.

    Returns:
        [n] float32; higher fits better.

    Raises:
        LanguageError: if there is no answer, an empty one, or one too long for the context.
    """
    if not answers or not all(len(answer) for answer in answers):
        raise LanguageError("Give at least one answer to judge, and no empty one.")
    check_fits(model, len(prompt) + max(map(len, answers)))
    cache = DynamicCache()
    last = model.hidden(torch.tensor([list(prompt)], device=model.rows.device), cache=cache)[:, -1:]
    batches = [answers[start : start + at_once] for start in range(0, len(answers), at_once)]
    return torch.cat([_likelihoods(model, last, copy.deepcopy(cache), batch) for batch in batches])


def _likelihoods(model: LanguageModel, last: Tensor, cache: DynamicCache, answers: Sequence[Sequence[int]]) -> Tensor:
    """Log-likelihood of answers after a prompt, of whose last token the model made `last` [1, 1, H]."""
    cache.batch_repeat_interleave(len(answers))
    longest, device = max(map(len, answers)), last.device
    # Padding comes after what counts, which therefore never sees it.
    tokens = torch.tensor([[*answer, *[0] * (longest - len(answer))] for answer in answers], device=device)
    hidden = last.expand(len(answers), -1, -1)
    if longest > 1:
        hidden = torch.cat((hidden, model.hidden(tokens[:, :-1], cache=cache)), dim=1)
    real = torch.arange(longest, device=device) < torch.tensor([[len(answer)] for answer in answers], device=device)
    found = model.logits(hidden[real]).float().log_softmax(-1).gather(1, tokens[real][:, None])[:, 0]
    return torch.zeros(real.shape, device=device).masked_scatter(real, found).sum(1)


def check_fits(model: LanguageModel, tokens: int) -> None:
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


def forbidden(model: LanguageModel, sounds: bool = False, within: bool = False) -> Tensor:
    """Tokens that may not come, as booleans [V]: in text codes and what begins turns, within a sound all text."""
    spell = model.vocabulary
    barred = torch.full((model.causal.config.get_text_config().vocab_size,), within)
    barred[spell.first : spell.end + 1] = not within
    barred[spell.end + 1 :] = True  # rows that some bases have for no token at all
    if within:
        barred[spell.start] = True
    else:
        barred[[t for t in spell.text_tokenizer.all_special_ids if t != model.prompts.end_of_turn]] = True
        barred[spell.start] = not sounds
    return barred.to(model.rows.device)
