"""Pictures of sounds and of codes for the page, as PNG-able images; knows no model and needs no plotting package."""

import colorsys

import numpy as np
from PIL import Image, ImageDraw

WIDTH = 960
_WAVE_HEIGHT, _MEL_HEIGHT, _CODES_HEIGHT, _GAP = 90, 180, 34, 6
_BACKGROUND, _INK, _FAINT = (255, 255, 255), (31, 78, 121), (200, 210, 220)
# A ramp from night over violet and orange to straw, light as loud.
_RAMP = np.array([(13, 8, 40), (84, 15, 109), (187, 55, 84), (249, 142, 9), (252, 255, 164)], float)


def picture(waveform: np.ndarray, mel: np.ndarray, codes: tuple[int, ...], codebook_size: int) -> Image.Image:
    """Waveform, spectrogram and the strip of codes of a sound, under each other on one axis of time.

    Args:
        waveform: [S] in [-1, 1].
        mel: [M, T] log-mel.
        codes: [N].
        codebook_size: number of codes K: each code has a colour of its own.
    """
    parts = [_wave(waveform), _spectrogram(mel), strip(codes, codebook_size)]
    height = sum(part.height for part in parts) + _GAP * (len(parts) - 1)
    whole, top = Image.new("RGB", (WIDTH, height), _BACKGROUND), 0
    for part in parts:
        whole.paste(part, (0, top))
        top += part.height + _GAP
    return whole


def strip(codes: tuple[int, ...], codebook_size: int) -> Image.Image:
    """The codes from left to right, each in its own colour: what sounds the same looks the same."""
    # Neighbouring numbers mean nothing: the golden ratio spreads their hues.
    shades = [colorsys.hsv_to_rgb(code * 0.618034 % 1.0, 0.45 + 0.5 * (code / codebook_size), 0.9) for code in codes]
    row = np.array([shades], float) * 255.0
    return Image.fromarray(row.astype(np.uint8)).resize((WIDTH, _CODES_HEIGHT), Image.Resampling.NEAREST)


def _wave(waveform: np.ndarray) -> Image.Image:
    image = Image.new("RGB", (WIDTH, _WAVE_HEIGHT), _BACKGROUND)
    draw, middle = ImageDraw.Draw(image), _WAVE_HEIGHT / 2
    draw.line([(0, middle), (WIDTH, middle)], fill=_FAINT)
    peak = max(float(np.abs(waveform).max(initial=0.0)), 1e-3)
    for column, piece in enumerate(np.array_split(waveform, WIDTH)):
        if len(piece):
            low, high = piece.min() / peak, piece.max() / peak
            draw.line([(column, middle - high * middle), (column, middle - low * middle)], fill=_INK)
    return image


def _spectrogram(mel: np.ndarray) -> Image.Image:
    low, high = np.percentile(mel, 5), mel.max()
    share = np.clip((mel[::-1] - low) / max(high - low, 1e-6), 0.0, 1.0) * (len(_RAMP) - 1)
    first = np.minimum(share.astype(int), len(_RAMP) - 2)
    rest = (share - first)[..., None]
    colours = _RAMP[first] * (1.0 - rest) + _RAMP[first + 1] * rest
    return Image.fromarray(colours.astype(np.uint8)).resize((WIDTH, _MEL_HEIGHT), Image.Resampling.BILINEAR)
