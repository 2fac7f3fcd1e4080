"""What a language model says of a few clips and makes of their names, as text and sound among a run's curves."""

from collections.abc import Sequence

import torch
from torch.utils.tensorboard.writer import SummaryWriter

from makesomenoise.data.codes import CodeClip
from makesomenoise.data.sounds import EXACT, Name, find
from makesomenoise.language import wording
from makesomenoise.language.composing import compose
from makesomenoise.language.listening import answers
from makesomenoise.language.model import LanguageModel
from makesomenoise.language.prompts import Sound
from makesomenoise.tokenizer.model import AudioTokenizer

_LONGEST_HEARD = 5.0
_MADE_SECONDS = 2.0
_LONGEST_CAPTION = 24


class Samples:
    """A few clips of different names, always the same ones.

    Args:
        clips: what is chosen from; those labelled by hand come first.
        count: how many are described, and how many of their names are made into sounds.
        tokenizer: makes sounds of codes.
    """

    def __init__(self, clips: Sequence[CodeClip], count: int, tokenizer: AudioTokenizer):
        self._tokenizer = tokenizer
        self._chosen = _different(clips)[:count]

    @torch.no_grad()
    def add_to(self, curves: SummaryWriter, step: int, model: LanguageModel) -> None:
        """Asks the model, and adds captions and sounds under a step."""
        if not self._chosen:
            return
        longest = int(_LONGEST_HEARD * self._tokenizer.code_rate)
        sounds = [Sound(clip.codes[:longest]) for clip, _ in self._chosen]
        said = answers(model, sounds, wording.CAPTION, _LONGEST_CAPTION)
        for (clip, name), text in zip(self._chosen, said, strict=True):
            curves.add_text(f"captions/{name.name}", f"{clip.title or clip.key}: {text}", step)
            made = compose(model, name.happens, _MADE_SECONDS)[0].sound
            device = next(self._tokenizer.network.parameters()).device
            waveform = self._tokenizer.decode(torch.tensor([made.codes], device=device), seed=0)
            rate = self._tokenizer.sample_rate
            curves.add_audio(f"sounds/{name.name}", waveform.cpu(), step, sample_rate=rate)


def _different(clips: Sequence[CodeClip]) -> list[tuple[CodeClip, Name]]:
    """One clip of each name, in an order of their own that has nothing to do with the alphabet."""
    found: dict[str, tuple[CodeClip, Name]] = {}
    for clip in sorted(clips, key=lambda clip: clip.dataset not in EXACT):
        name = find(clip.label, clip.dataset) if clip.codes and not clip.events else None
        if name is not None:
            found.setdefault(name.name, (clip, name))
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0)).tolist()
    return [list(found.values())[n] for n in order]
