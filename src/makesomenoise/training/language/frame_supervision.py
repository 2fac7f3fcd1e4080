"""The second stage of a language model's training: its lower layers learn what sounds at every code.

An answer about a scene has a few tokens that tell anything, and the scene has more than a hundred codes. Here every
code is asked what sounds there, how often that has begun and how loud it is, and the end of the sound all that was
heard: several times as much to learn from, at a third of the work, since the upper layers are not run. Linear heads
answer; they are thrown away when the stage is over.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn
from torch.utils.data import Dataset

from makesomenoise.config import Config
from makesomenoise.data.codes import CodeClip, CodeClips
from makesomenoise.data.instructions.examples import NamedClips
from makesomenoise.data.instructions.scene_qa import MOST_TIMES
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Prompts, Sound, Turn
from makesomenoise.training.language.sft import MOST_DRAWN, POOL, DrawnAhead, cut
from makesomenoise.training.language.trainer import LanguageOptimizerConfig, Losses, TrainingTask

_UNKNOWN = -1
_USUAL_DB, _SPREAD_DB = -30.0, 10.0
_WEIGHTS = {"name": 1.0, "count": 0.5, "level": 1.0, "present": 5.0}
_HEADS = "heads."
_EXACT_SHARE = 0.8
_WHOLE_SHARE = 0.4
_SHORTEST_SECONDS = 1.0
_RINGING_SECONDS = 0.05  # codes that begin shortly after a sound has ended still hold its end


@dataclass(frozen=True)
class Annotated:
    """Codes, and what is known of each.

    Attributes:
        codes: [N].
        active: [N, names] boolean, which sounds are heard.
        begun: [N] how often the sound that began last has begun so far; 0 where that is not known.
        level_db: [N] of the sound that began last, while it lasts, dB of full scale; nan where that is not known.
    """

    codes: tuple[int, ...]
    active: np.ndarray
    begun: np.ndarray
    level_db: np.ndarray


class AnnotatedClips:
    """Endless annotated sounds; number `n` depends on the seed and on `n` alone. False if nothing is known of any clip.

    Args:
        clips: encoded clips and scenes; those without a name or events are left out.
        code_rate: codes a second.
        scenes_share: share of the draws that are scenes.
        longest_seconds: other clips are cropped to this.
        seed: of the draws.
        names: sounds that are told apart, clips with others being left out; none means all that there are.

    Attributes:
        names: how the sounds are called, in the order of `Annotated.active`.
    """

    def __init__(
        self,
        clips: Sequence[CodeClip],
        code_rate: float,
        scenes_share: float = 0.6,
        longest_seconds: float = 4.0,
        seed: int = 0,
        names: Sequence[str] = (),
    ):
        clips = CodeClips.of(clips)
        heard = [frozenset(_names(clip)) if clip.codes else frozenset() for clip in clips]
        self.names = tuple(names) or tuple(sorted(frozenset().union(*heard)))
        known = np.array([bool(some) and some <= set(self.names) for some in heard], bool)
        scenes = clips.column("events") > 0
        self._scenes = clips.where(known & scenes)
        self._named = NamedClips(clips.where(known & ~scenes), _EXACT_SHARE)
        self._place = {name: place for place, name in enumerate(self.names)}
        self._share = scenes_share if self._named else 1.0
        self._rate, self._longest, self._seed = code_rate, longest_seconds, seed

    def __bool__(self) -> bool:
        return bool(self._scenes or self._named)

    def __getitem__(self, number: int) -> Annotated:
        """Sound `number`."""
        rng = np.random.default_rng([self._seed, number, 2])
        if self._scenes and rng.random() < self._share:
            return self._scene(self._scenes[int(rng.integers(len(self._scenes)))])
        return self._clip(rng)

    def _scene(self, clip: CodeClip) -> Annotated:
        times = (np.arange(len(clip.codes)) + 0.5) / self._rate
        active = np.zeros((len(times), len(self.names)), bool)
        begun, level_db = np.zeros(len(times), np.int64), np.full(len(times), np.nan, np.float32)
        count: dict[str, int] = {}
        for event in sorted(clip.events, key=lambda event: event.start):  # later ones replace what earlier ones set
            count[event.label] = count.get(event.label, 0) + 1
            heard = (times >= event.start) & (times < event.end + _RINGING_SECONDS)
            name = clip.ontology.find(event.label)
            if name is not None:
                active[heard, self._place[name.heard]] = True
            begun[times >= event.start] = count[event.label]
            level_db[times >= event.start] = np.nan
            level_db[heard] = event.level_db
        return Annotated(clip.codes, active, begun, level_db)

    def _clip(self, rng: np.random.Generator) -> Annotated:
        clip, name = self._named.draw(rng)
        first, last = (round(seconds * self._rate) for seconds in clip.sounding)
        if rng.random() < _WHOLE_SHARE or last <= first:
            first, last = 0, len(clip.codes)
        size = max(round(float(rng.uniform(_SHORTEST_SECONDS, self._longest)) * self._rate), 1)
        first += int(rng.integers(0, max(last - first - size, 0) + 1))
        codes = clip.codes[first : first + size]
        times = (first + np.arange(len(codes)) + 0.5) / self._rate
        active = np.zeros((len(codes), len(self.names)), bool)
        active[:, self._place[name.heard]] = (times >= clip.sounding[0]) & (times <= clip.sounding[1])
        return Annotated(codes, active, np.zeros(len(codes), np.int64), np.full(len(codes), np.nan, np.float32))


class FrameSupervisionConfig(Config):
    """How the lower layers are grounded.

    Attributes:
        steps: length of the stage; 0 leaves it out.
        layers: how many layers of the LLM are run and learn.
        batch_tokens: tokens of a batch, padding included, about.
        scenes_share: share of the sounds that are scenes.
        longest_seconds: other clips are cropped to this.
        optimizer: how fast weights move.
    """

    steps: int = Field(default=600, ge=0)
    layers: int = Field(default=10, ge=1)
    batch_tokens: int = Field(default=1800, ge=1)
    scenes_share: float = Field(default=0.6, ge=0.0, le=1.0)
    longest_seconds: float = Field(default=4.0, ge=1.0)
    optimizer: LanguageOptimizerConfig = LanguageOptimizerConfig(lora_lr=1e-3, embedding_lr=2e-3, warmup_steps=20)


class FrameSupervisionTask(TrainingTask):
    """The lower layers of a language model and the heads that ask them.

    Args:
        language: learns.
        names: number of sounds that are told apart.
        layers: how many layers are run.
    """

    def __init__(self, language: LanguageModel, names: int, layers: int):
        super().__init__(language)
        self._layers = layers
        width = language.rows.shape[1]
        sizes = {"name": names + 1, "count": MOST_TIMES, "level": 1, "present": names}
        self.heads = nn.ModuleDict({kind: nn.Linear(width, size) for kind, size in sizes.items()})
        for head in self.heads.values():
            nn.init.zeros_(head.weight)  # pyright: ignore[reportArgumentType]
            nn.init.zeros_(head.bias)  # pyright: ignore[reportArgumentType]

    @contextmanager
    def only_lower(self) -> Iterator[None]:
        """Freezes what is not run meanwhile: the layers above, and rows that only score."""
        stack: Any = self.language.causal.base_model
        idle = [p for layer in stack.layers[self._layers :] for p in layer.parameters() if p.requires_grad]
        idle += [] if self.language.tied else [self.language.output_rows]
        for parameter in idle:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in idle:
                parameter.requires_grad_(True)

    def forward(
        self, tokens: Tensor, attention_mask: Tensor, active: Tensor, begun: Tensor, level_db: Tensor
    ) -> Losses:
        """The loss of a batch.

        Args:
            tokens: [B, L], padded at the end.
            attention_mask: [B, L] 1 where there is a token, else 0.
            active: [B, L, names] which sounds are heard; all of a sound at the token that ends it.
            begun: [B, L] how often the sound that began last has begun, less 1; -1 where that is not known.
            level_db: [B, L] of that sound, dB of full scale; nan where that is not known.

        Returns:
            The loss, and the means of each head, `name`, `count`, `level` and `present`.
        """
        spell = self.language.vocabulary
        hidden = self._lower(tokens, attention_mask)
        code = spell.is_code(tokens)
        counted, levelled, ends = begun != _UNKNOWN, ~level_db.isnan(), tokens == spell.end
        silent = ~active[code].any(-1, keepdim=True)
        wanted = torch.cat((active[code], silent), dim=-1).float()
        level = (level_db[levelled] - _USUAL_DB) / _SPREAD_DB
        asked = {
            "name": -(wanted / wanted.sum(-1, keepdim=True) * self._told("name", hidden[code]).log_softmax(-1)).sum(-1),
            "count": F.cross_entropy(self._told("count", hidden[counted]), begun[counted], reduction="none"),
            "level": F.smooth_l1_loss(self._told("level", hidden[levelled])[:, 0], level, reduction="none"),
            "present": F.binary_cross_entropy_with_logits(
                self._told("present", hidden[ends]), active[ends].float(), reduction="none"
            ).mean(-1),
        }
        means = {kind: values.sum() / max(len(values), 1) for kind, values in asked.items()}
        told = {kind: mean.detach() for kind, mean in means.items()}
        counts = {kind: torch.tensor(len(values)) for kind, values in asked.items()}
        return Losses(torch.stack([_WEIGHTS[kind] * mean for kind, mean in means.items()]).sum(), told, counts)

    def learned(self) -> dict[str, Tensor]:
        """The matrices, rows and heads by name, sharing memory with the model."""
        return super().learned() | {f"{_HEADS}{name}": value for name, value in self.heads.state_dict().items()}

    def set_learned(self, state: dict[str, Tensor]) -> None:
        """Takes what `learned` has given."""
        heads = {name.removeprefix(_HEADS): value for name, value in state.items() if name.startswith(_HEADS)}
        self.heads.load_state_dict(heads)
        super().set_learned({name: value for name, value in state.items() if not name.startswith(_HEADS)})

    def _lower(self, tokens: Tensor, attention_mask: Tensor) -> Tensor:
        stack: Any = self.language.causal.base_model
        whole = stack.layers
        stack.layers = whole[: self._layers]
        try:
            return self.language.hidden(tokens, attention_mask)
        finally:
            stack.layers = whole

    def _told(self, kind: str, hidden: Tensor) -> Tensor:
        return self.heads[kind](hidden.float()).float()


class FrameSupervisionBatches(Dataset[dict[str, Tensor]]):
    """Batches of annotated sounds of about equal length; number `n` depends on the sounds' seed and on `n` alone.

    Args:
        clips: what is drawn from.
        prompts: turns sounds into tokens.
        batches: how many there are.
        batch_tokens: tokens of a batch, about.
    """

    def __init__(self, clips: AnnotatedClips, prompts: Prompts, batches: int, batch_tokens: int):
        self._clips, self._prompts = clips, prompts
        self._batches, self._batch_tokens = batches, batch_tokens
        self._pools = DrawnAhead(self._drawn)

    def __len__(self) -> int:
        return self._batches

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        """Batch `number`, as `FrameSupervisionTask` takes it."""
        if number >= len(self):
            raise IndexError(number)
        pool = number // POOL
        following = (pool + 1,) if (pool + 1) * POOL < len(self) else None
        return self._pools.get((pool,), following)[number % POOL]

    def _drawn(self, pool: int) -> list[dict[str, Tensor]]:
        found, total = list[tuple[list[int], Annotated]](), 0
        while total < POOL * self._batch_tokens or len(found) < POOL:
            sound = self._clips[pool * MOST_DRAWN + len(found)]
            found.append((self._prompts.prompt([Turn("user", (Sound(sound.codes),))]), sound))
            total += len(found[-1][0])
        batches = cut(found, [len(tokens) for tokens, _ in found], np.random.default_rng(pool))
        return [self._collated(batch) for batch in batches]

    def _collated(self, items: list[tuple[list[int], Annotated]]) -> dict[str, Tensor]:
        spell, size = self._prompts.vocabulary, (len(items), max(len(tokens) for tokens, _ in items))
        tokens, mask = torch.zeros(size, dtype=torch.long), torch.zeros(size, dtype=torch.long)
        active = torch.zeros(*size, len(self._clips.names), dtype=torch.bool)
        begun, level_db = torch.full(size, _UNKNOWN), torch.full(size, torch.nan)
        for row, (written, sound) in enumerate(items):
            tokens[row, : len(written)], mask[row, : len(written)] = torch.tensor(written), 1
            codes = spell.is_code(tokens[row])
            active[row, codes] = torch.from_numpy(sound.active)
            active[row, tokens[row] == spell.end] = torch.from_numpy(sound.active.any(0))
            begun[row, codes] = torch.from_numpy(np.minimum(sound.begun, MOST_TIMES) - 1)
            level_db[row, codes] = torch.from_numpy(sound.level_db)
        return {"tokens": tokens, "attention_mask": mask, "active": active, "begun": begun, "level_db": level_db}


def _names(clip: CodeClip) -> list[str]:
    """What is heard in a clip, as far as it has names."""
    found = [clip.ontology.find(event.label) for event in clip.events] if clip.events else [clip.name]
    return [name.heard for name in found if name is not None]
