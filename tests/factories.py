"""What tests of several folders build: tiny networks with random weights, as folders. It holds no fixtures.

Heavy libraries are imported where they are used, so that who only wants settings pays for nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

    from makesomenoise.data.codes import CodeClip
    from makesomenoise.language.model import LanguageModel

BRANCH = {"channels": (4, 4, 8, 8), "dim": 16, "layers": 1, "heads": 2}


def settings(frame_dim: int, dim: int, steps: int, **more: Any) -> dict[str, Any]:
    """Of a tokenizer with one layer of everything; `more` are further sections."""
    encoder = {"semantic_branch": BRANCH, "frame_dim": frame_dim, "frame_layers": 1, "dim": dim, "layers": 1}
    network = {"frame_dim": frame_dim, "dim": dim, "trunk_layers": 1, "middle_layers": 1, "frame_layers": 1}
    decoder = {"kind": "flow", "network": network, "steps": steps}
    return {"encoder": encoder | {"heads": 2, "latent_dim": 8}, "decoder": decoder, **more}


WINDOW = {"codes": 12, "context": 4, "seam_frames": 8}
TINY = settings(8, 16, steps=1, window=WINDOW)
SMALL = settings(16, 32, steps=2)  # large enough to learn something in a few steps


def save_tokenizer(folder: Path, seed: int = 0, values: dict[str, Any] = TINY) -> Path:
    """A tokenizer with random weights."""
    from makesomenoise import checkpoint
    from makesomenoise.tokenizer.config import TokenizerConfig
    from makesomenoise.tokenizer.network import TokenizerNetwork

    config = TokenizerConfig.from_dict(values)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = TokenizerNetwork(config)
        torch.nn.init.normal_(network.decoder.network.mel_out.weight)  # else codes do not matter yet
    checkpoint.save_model(folder, config, network.state_dict())
    return folder


def save_vocoder(folder: Path) -> Path:
    """A vocoder with random weights."""
    from makesomenoise.vocoder.config import IstftVocoderConfig
    from makesomenoise.vocoder.vocos import IstftVocoder

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        IstftVocoder(IstftVocoderConfig(dim=8, hidden=16, layers=1)).save(folder)
    return folder


CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}{{ '<|im_start|>system\nBe brief.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
LLM_SIZES = {
    "vocab_size": 280,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
}
CODES = 20


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """A text tokenizer whose tokens are bytes, with a start and an end."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    backend = Tokenizer(BPE(vocab=letters, merges=[]))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def save_base(folder: Path, layers: int = 1, spread: float = 0.02) -> Path:
    """A text LLM with random weights that spells in bytes; `spread` is how far its weights lie from zero."""
    from transformers import LlamaConfig, LlamaForCausalLM

    byte_tokenizer().save_pretrained(folder)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": layers, "num_attention_heads": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(vocab_size=258, tie_word_embeddings=True, initializer_range=spread, **sizes)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def language_model(base: Path, fingerprint: str = "0" * 16, codes: int = 1024, **more: Any) -> LanguageModel:
    """An untrained language model over a base; `more` are settings of it."""
    from makesomenoise.language.config import LanguageConfig
    from makesomenoise.language.model import LanguageModel

    codebook = torch.randn(codes, 8, generator=torch.Generator().manual_seed(0))
    config = LanguageConfig(base=str(base), tokenizer_fingerprint=fingerprint, codebook_size=codes, **more)
    return LanguageModel.create(config, codebook)


def merging_tokenizer() -> PreTrainedTokenizerFast:
    """256 bytes, a few merges, the specials of ChatML, and an added token that is not special."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE
    from transformers import AddedToken, PreTrainedTokenizerFast

    vocabulary = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    merges = [("a", "u"), ("d", "i"), ("au", "di"), ("audi", "o"), ("i", "n")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    backend = Tokenizer(BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    text_tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    text_tokenizer.add_tokens([AddedToken("<tool_call>", special=False)])
    text_tokenizer.chat_template = CHATML
    return text_tokenizer


def save_bases(parent: Path) -> dict[str, Path]:
    """Two bases in folders of it: `llama` ties its rows and has no room for new ones, `qwen2` does neither."""
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    folders = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = {
            "llama": LlamaForCausalLM(LlamaConfig(**(LLM_SIZES | {"vocab_size": 264}), tie_word_embeddings=True)),
            "qwen2": Qwen2ForCausalLM(Qwen2Config(**(LLM_SIZES | {"vocab_size": 320}), tie_word_embeddings=False)),
        }
    for name, network in networks.items():
        folders[name] = parent / name
        network.save_pretrained(folders[name])
        merging_tokenizer().save_pretrained(folders[name])
    return folders


def codebook() -> Tensor:
    """Of `CODES` codes."""
    return torch.randn(CODES, 8, generator=torch.Generator().manual_seed(1))


def untrained(base: Path, rows: Tensor, **more: Any) -> LanguageModel:
    """A model of that codebook whose matrices are not zero, so that they matter; `more` are settings of it."""
    from makesomenoise.language.config import LanguageConfig
    from makesomenoise.language.model import LanguageModel

    config = LanguageConfig(base=str(base), tokenizer_fingerprint="0" * 16, codebook_size=CODES, **more)
    made = LanguageModel.create(config, rows)
    generator = torch.Generator().manual_seed(2)
    for name, tensor in made.learned().items():
        if "lora_B" in name:
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
    return made


def two_sounds() -> CodeClip:
    """A dog barks twice, then rain falls, louder."""
    from makesomenoise.data.codes import CodeClip, Event

    events = (Event("dog", 0.2, 0.6, -30.0), Event("dog", 1.0, 1.4, -30.0), Event("rain", 2.2, 4.0, -20.0))
    return CodeClip("scenes-0-0", tuple(range(100)), 4.2, (0.2, 4.0), dataset="scenes", kind="scene", events=events)


def sound_under_sound() -> CodeClip:
    """Rain falls while a dog barks once."""
    from makesomenoise.data.codes import CodeClip, Event

    events = (Event("rain", 0.0, 4.0, -35.0), Event("dog", 2.6, 2.9, -20.0))
    return CodeClip("scenes-0-1", tuple(range(98)), 4.2, (0.0, 4.0), dataset="scenes", kind="scene", events=events)


def plain_clips() -> list[CodeClip]:
    """Clips of two collections that were labelled by hand, and of one that was not."""
    from makesomenoise.data.codes import CodeClip

    rng = np.random.default_rng(0)

    def clip(number: int, dataset: str, label: str, title: str = "") -> CodeClip:
        codes = tuple(rng.integers(0, 1000, 118).tolist())
        return CodeClip(f"{dataset}-{number}", codes, 5.0, (0.5, 4.5), dataset=dataset, label=label, title=title)

    exact = [clip(n, "esc50", label) for n, label in enumerate(("dog", "rain", "door wood knock", "sheep", "siren"))]
    others = [clip(n, "debian", label) for n, label in enumerate(("sheep", "swordman attack", "cello single note F4"))]
    return [*exact, *others, clip(0, "urbansound8k", "dog bark"), clip(1, "urbansound8k", "siren")]
