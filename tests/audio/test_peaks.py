import torch

from makesomenoise.audio.peaks import peak_shares


def test_what_stands_out_is_a_tone_and_neither_level_nor_slope():
    slope = torch.linspace(1.0, -1.0, 40)[None, :, None].expand(1, 40, 8)
    tone = slope.clone()
    tone[:, 20] += 2.0
    shares = peak_shares(torch.cat((slope, tone, tone - 3.0)))
    torch.testing.assert_close(shares.sum(1), torch.ones(3, 8))
    assert shares[0].max() < 0.1
    assert shares[1, 20, 1:-1].min() > 0.9
    torch.testing.assert_close(shares[1], shares[2])


def test_a_gliding_tone_is_followed():
    bands = torch.arange(10, 30)
    mel = torch.zeros(1, 40, 20)
    mel[0, bands, torch.arange(20)] = 3.0
    assert (peak_shares(mel)[0].argmax(0)[1:-1] - bands[1:-1]).abs().max() <= 1
