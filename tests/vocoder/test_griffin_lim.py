import torch
from torch import Tensor

from makesomenoise.audio.mel import MelConfig
from makesomenoise.nn.log_mel import LogMel
from makesomenoise.vocoder.griffin_lim import PERIOD, GriffinLim
from tests.conftest import Tone

MEL = MelConfig()


def frames_of(waveform: Tensor) -> Tensor:
    return LogMel(MEL)(waveform[None])


def test_a_tone_keeps_its_pitch_and_level(tone: Tone) -> None:
    mel = frames_of(tone(0.5, hz=1000.0))
    waveform = GriffinLim(MEL)(mel)
    assert waveform.shape == (1, mel.shape[-1] * MEL.hop_samples)
    middle = waveform[0, 2000:10000]
    spectrum = torch.fft.rfft(middle * torch.hann_window(8000)).abs()
    assert abs(spectrum.argmax().item() * 24_000 / 8000 - 1000.0) < 15.0
    assert 0.2 < middle.square().mean().sqrt() / 0.3536 < 1.3


def test_more_rounds_fit_the_frames_better(tone: Tone) -> None:
    generator = torch.Generator().manual_seed(0)
    mel = frames_of(tone(0.4, hz=300.0) * torch.linspace(1, 0, 9600) + 0.02 * torch.randn(9600, generator=generator))
    few, many = (frames_of(GriffinLim(MEL, rounds=n)(mel)[0]) for n in (0, 32))
    assert (many - mel).abs().mean() < 0.8 * (few - mel).abs().mean()


def test_the_same_frames_give_the_same_sound_in_any_batch(tone: Tone) -> None:
    mels = torch.cat([frames_of(tone(0.2, hz=hz)) for hz in (200.0, 900.0)])
    vocoder = GriffinLim(MEL, rounds=4)
    together = vocoder(mels)
    for number in range(2):
        torch.testing.assert_close(vocoder(mels[number : number + 1])[0], together[number], atol=1e-5, rtol=1e-4)


def test_silence_stays_silent() -> None:
    assert GriffinLim(MEL)(frames_of(torch.zeros(4000))).abs().max() < 1e-4


def test_a_window_that_starts_at_a_whole_period_gives_what_the_whole_gives() -> None:
    vocoder = GriffinLim(MelConfig(n_fft=128, hop_samples=32, n_mels=12), rounds=5)
    mel = torch.randn(1, 12, 160, generator=torch.Generator().manual_seed(0))
    context = vocoder.context_frames
    assert context == PERIOD
    window = vocoder(mel[:, :, 64 - context : 70 + context])[:, context * 32 : (context + 6) * 32]
    torch.testing.assert_close(window, vocoder(mel)[:, 64 * 32 : 70 * 32], atol=1e-5, rtol=1e-4)
