import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional as F

from makesomenoise.audio.mel import MelConfig
from makesomenoise.checkpoint import CheckpointError
from makesomenoise.errors import ConfigError
from makesomenoise.vocoder.config import IstftVocoderConfig
from makesomenoise.vocoder.griffin_lim import PERIOD, GriffinLim
from makesomenoise.vocoder.vocos import IstftVocoder

SMALL_MEL = MelConfig(n_fft=128, hop_samples=32, n_mels=12)


def log_mel(batch: int, frames: int) -> Tensor:
    return torch.randn(batch, 12, frames, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def corrector() -> IstftVocoder:
    """A vocoder that corrects two rounds of Griffin-Lim, at random."""
    config = IstftVocoderConfig(mel=SMALL_MEL, dim=8, hidden=16, layers=2, griffin_lim_iters=2)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vocoder = IstftVocoder(config).eval()
        torch.nn.init.normal_(vocoder.head.out.weight, std=0.1)
    return vocoder


@pytest.mark.parametrize("frames", [1, 2, 30])
def test_every_frame_becomes_a_hop_of_samples(vocoder: IstftVocoder, frames: int) -> None:
    waveform = vocoder(log_mel(2, frames))
    assert waveform.shape == (2, frames * 32)
    assert waveform.isfinite().all()


def test_a_window_with_context_gives_what_the_whole_gives(vocoder: IstftVocoder) -> None:
    mel, context = log_mel(1, 80), vocoder.context_frames
    window = vocoder(mel[:, :, 40 - context : 50 + context])[:, context * 32 : (context + 10) * 32]
    torch.testing.assert_close(window, vocoder(mel)[:, 40 * 32 : 50 * 32], atol=1e-5, rtol=1e-4)


def test_an_untrained_corrector_leaves_griffin_lim_as_it_is() -> None:
    config = IstftVocoderConfig(mel=SMALL_MEL, dim=8, hidden=16, layers=2, griffin_lim_iters=2)
    mel = log_mel(2, 40)
    torch.testing.assert_close(IstftVocoder(config)(mel), GriffinLim(SMALL_MEL, 2)(mel), atol=1e-6, rtol=1e-5)


def test_a_corrector_needs_no_more_than_its_context_either(corrector: IstftVocoder) -> None:
    mel, context = log_mel(1, 200), corrector.context_frames
    assert context % PERIOD == 0
    window = corrector(mel[:, :, 96 - context : 106 + context])[:, context * 32 : (context + 10) * 32]
    torch.testing.assert_close(window, corrector(mel)[:, 96 * 32 : 106 * 32], atol=1e-4, rtol=1e-3)


def test_no_frame_beyond_the_context_is_heard(vocoder: IstftVocoder) -> None:
    mel = log_mel(1, 60)
    changed = mel.clone()
    changed[:, :, 20] += 1.0
    heard = (vocoder(changed) - vocoder(mel)).abs()[0].reshape(60, 32).amax(1) > 1e-7
    assert heard[20]
    assert not heard[: 20 - vocoder.context_frames].any()
    assert not heard[21 + vocoder.context_frames :].any()


def test_however_loud_the_head_is_the_sound_stays_finite(vocoder: IstftVocoder) -> None:
    with torch.no_grad():
        vocoder.head.out.bias[:65] = 1e4
    assert vocoder(log_mel(1, 8)).abs().max() <= 100.0 * 2.0


def test_saved_weights_load_exactly_and_at_half_precision_nearly(vocoder: IstftVocoder, tmp_path: Path) -> None:
    mel = log_mel(1, 20)
    vocoder.save(tmp_path / "whole")
    torch.testing.assert_close(IstftVocoder.load(tmp_path / "whole")(mel), vocoder(mel), atol=0, rtol=0)
    vocoder.save(tmp_path / "half", storage="float16")
    torch.testing.assert_close(IstftVocoder.load(tmp_path / "half")(mel), vocoder(mel), atol=2e-2, rtol=2e-2)


def test_windows_that_are_too_short_for_the_hop_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 4 times"):
        IstftVocoderConfig.from_dict({"mel": {"n_fft": 512, "hop_samples": 256}})


def test_published_weights_give_what_their_definition_says(vocos_folder: Path, vocos_state: dict[str, Tensor]) -> None:
    mel = log_mel(2, 25)
    waveform = IstftVocoder.from_vocos(vocos_folder)(mel)
    expected = vocos_by_definition(mel, vocos_state)
    torch.testing.assert_close(waveform[:, : 24 * 32], expected, atol=1e-4, rtol=1e-3)


def test_published_weights_may_come_as_safetensors(vocos_folder: Path, vocos_state: dict[str, Tensor]) -> None:
    pickled = IstftVocoder.from_vocos(vocos_folder)(log_mel(1, 9))
    (vocos_folder / "pytorch_model.bin").unlink()
    safetensors.torch.save_file(vocos_state, vocos_folder / "model.safetensors")
    torch.testing.assert_close(IstftVocoder.from_vocos(vocos_folder)(log_mel(1, 9)), pickled, atol=0, rtol=0)


def test_a_pickle_that_would_run_code_is_refused(vocos_folder: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "sprung",))

    (vocos_folder / "pytorch_model.bin").write_bytes(pickle.dumps({"head.out.bias": Trap()}))
    with pytest.raises(CheckpointError, match="Cannot read the weights"):
        IstftVocoder.from_vocos(vocos_folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("damage", ["config.yaml", "pytorch_model.bin"])
def test_published_folders_that_lack_a_file_are_refused(vocos_folder: Path, damage: str) -> None:
    (vocos_folder / damage).unlink()
    with pytest.raises(CheckpointError, match=damage):
        IstftVocoder.from_vocos(vocos_folder)


def test_published_weights_of_another_size_are_refused(vocos_folder: Path, vocos_state: dict[str, Tensor]) -> None:
    torch.save(vocos_state | {"head.out.bias": torch.zeros(66)}, vocos_folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"head\.out\.bias"):
        IstftVocoder.from_vocos(vocos_folder)


def vocos_by_definition(mel: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Vocos written out from its paper with functions alone; (T - 1) hops long, as `torch.istft` has it."""

    def part(prefix: str) -> dict[str, Tensor]:
        return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}

    def normalised(x: Tensor, name: str) -> Tensor:
        return F.layer_norm(x, (8,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6)

    x = F.conv1d(mel, state["backbone.embed.weight"], state["backbone.embed.bias"], padding=3)
    x = normalised(x.mT, "backbone.norm").mT
    for number in range(2):
        block = part(f"backbone.convnext.{number}.")
        inner = F.conv1d(x, block["dwconv.weight"], block["dwconv.bias"], padding=3, groups=8).mT
        inner = normalised(inner, f"backbone.convnext.{number}.norm")
        inner = F.gelu(inner @ block["pwconv1.weight"].T + block["pwconv1.bias"])
        inner = inner @ block["pwconv2.weight"].T + block["pwconv2.bias"]
        x = x + (inner * block["gamma"]).mT
    x = normalised(x.mT, "backbone.final_layer_norm")
    magnitude, phase = (x @ state["head.out.weight"].T + state["head.out.bias"]).mT.chunk(2, dim=1)
    spectrum = magnitude.exp().clip(max=1e2) * torch.exp(1j * phase)
    return torch.istft(spectrum, 128, 32, 128, torch.hann_window(128), center=True)
