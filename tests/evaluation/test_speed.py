import pytest
import torch

from makesomenoise.evaluation.speed import Contender, measure_speed, public_contenders


def test_a_contender_is_timed_on_the_sound_it_is_given():
    seen = []

    def encode(sound: torch.Tensor) -> torch.Tensor:
        seen.append(sound.shape[1])
        return sound

    before = torch.get_num_threads()
    speed = measure_speed([Contender("copy", 16.0, encode, torch.clone)], seconds=2.0, threads=before + 1, repeats=2)[0]
    assert seen == [4800, 48_000, 48_000, 48_000]
    assert (speed.name, speed.bits_per_second) == ("copy", 16.0)
    assert speed.encode_speed > 0
    assert speed.decode_speed > 0
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_public_codecs_run_at_their_rates():
    pytest.importorskip("transformers")
    sound = 0.1 * torch.randn(1, 24_000, generator=torch.Generator().manual_seed(0))
    for contender in public_contenders():
        with torch.inference_mode():
            codes = contender.encode(sound)
            contender.decode(codes)
        bits = 11 if contender.name == "Mimi" else 10
        assert codes.numel() * bits == pytest.approx(contender.bits_per_second, rel=0.05)
