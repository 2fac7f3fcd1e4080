// Pictures of sound and of codes on canvases, as wide as the page has them.

import { Fourier } from "./fourier.js";

const FRAME = 1024;
const LOWEST_DB = -80;

/** A canvas made as sharp as the screen is. @returns {[CanvasRenderingContext2D, number, number]} */
function prepared(canvas) {
  const density = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * density));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * density));
  return [canvas.getContext("2d"), canvas.width, canvas.height];
}

/** The waveform [S], its peaks in each column. */
export function drawWaveform(canvas, waveform) {
  const [context, width, height] = prepared(canvas);
  context.fillStyle = getComputedStyle(canvas).color;
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x * waveform.length) / width);
    const last = Math.max(first + 1, Math.floor(((x + 1) * waveform.length) / width));
    let [low, high] = [0, 0];
    for (let n = first; n < last; n++) {
      low = Math.min(low, waveform[n]);
      high = Math.max(high, waveform[n]);
    }
    const top = ((1 - Math.min(high, 1)) * height) / 2;
    context.fillRect(x, top, 1, Math.max(1, ((Math.min(high, 1) - Math.max(low, -1)) * height) / 2));
  }
}

/** The spectrogram of a waveform [S], low frequencies below, -80 dB to 0 dB. */
export function drawSpectrogram(canvas, waveform) {
  const [context, width, height] = prepared(canvas);
  const fourier = new Fourier(FRAME, Math.max(1, Math.floor(waveform.length / width)));
  const columns = Math.max(1, Math.min(width, Math.floor(waveform.length / fourier.hop)));
  const { re, im } = fourier.forward(waveform, columns);
  const image = context.createImageData(columns, height);
  for (let y = 0; y < height; y++) {
    const bin = Math.floor(((height - 1 - y) * (fourier.bins - 1)) / height);
    for (let x = 0; x < columns; x++) {
      const place = x * fourier.bins + bin;
      const level = 20 * Math.log10((4 * Math.hypot(re[place], im[place])) / FRAME + 1e-9);
      image.data.set(heat(1 - Math.max(level, LOWEST_DB) / LOWEST_DB), 4 * (y * columns + x));
    }
  }
  const strip = new OffscreenCanvas(columns, height);
  strip.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(strip, 0, 0, width, height);
}

/** Codes [N] as stripes, each of a colour of its own. */
export function drawCodes(canvas, codes, codebookSize) {
  const [context, width, height] = prepared(canvas);
  codes.forEach((code, place) => {
    const first = Math.round((place * width) / codes.length);
    // Golden angles keep the colours of neighbouring codes apart.
    context.fillStyle = `hsl(${(code * 137.508) % 360} 65% ${35 + (30 * code) / codebookSize}%)`;
    context.fillRect(first, 0, Math.round(((place + 1) * width) / codes.length) - first, height);
  });
}

/** Black, violet, orange, pale: [red, green, blue, alpha] of a share from 0 to 1. */
function heat(share) {
  const s = Math.min(Math.max(share, 0), 1);
  return [255 * Math.min(1, 1.6 * s), 255 * s ** 2, 255 * (s < 0.5 ? 0.9 * s : 0.45 - 0.6 * (s - 0.5) + (s - 0.5) ** 3 * 4), 255];
}
