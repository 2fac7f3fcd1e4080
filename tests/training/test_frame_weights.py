import torch

from makesomenoise.training.auxiliary_losses import frame_weights


def test_frames_near_a_sound_count_and_others_hardly() -> None:
    sounding = torch.zeros(2, 8, dtype=torch.bool)
    sounding[0, 1] = sounding[1] = True
    weights = frame_weights(sounding)
    assert weights.shape == (2, 32)
    torch.testing.assert_close(weights[0], torch.tensor([1.0] * 16 + [0.05] * 16))
    assert (weights[1] == 1.0).all()
