// Log-mel to a waveform: Griffin-Lim, and the network that mends what it finds (`vocoder/onnx.py`).

import { transposed } from "./fourier.js";

const MOMENTUM = 0.99;
const SMALLEST = 1e-8;
const TINY = 1e-12;

export class Vocoder {
  /**
   * @param {object} parts
   * @param {import("./fourier.js").Fourier} parts.fourier
   * @param {Float32Array} parts.inverseFilters [M, bins] of the mel filters
   * @param {Float32Array} parts.turns [P, bins] the phases that the search begins with, in turns
   * @param {number} parts.rounds of the search; 0 is none
   * @param {(inputs: object) => Promise<object>} parts.network the graph `vocoder.onnx`
   */
  constructor(parts) {
    Object.assign(this, parts);
  }

  /** The waveform [T * hop] of a log-mel [T, M]. */
  async waveform(mel) {
    const { fourier, inverseFilters } = this;
    const bands = inverseFilters.length / fourier.bins;
    const count = mel.length / bands;
    const inputs = { mel: [transposed(mel, bands), [1, bands, count]] };
    const prior = this.rounds ? this.#search(mel, bands) : null;
    if (prior) inputs.mismatch = [this.#mismatch(prior, count), [1, count, 2 * fourier.bins]];
    const { real, imaginary } = await this.network(inputs);
    return fourier.inverse(prior ? product({ re: real, im: imaginary }, prior) : { re: real, im: imaginary });
  }

  #search(mel, bands) {
    const { fourier, turns } = this;
    const wanted = this.#wanted(mel, bands);
    const phase = Float32Array.from(wanted, (_, place) => 2 * Math.PI * turns[place % turns.length]);
    let guess = { re: wanted.map((v, n) => v * Math.cos(phase[n])), im: wanted.map((v, n) => v * Math.sin(phase[n])) };
    let previous = { re: new Float32Array(wanted.length), im: new Float32Array(wanted.length) };
    for (let round = 0; round < this.rounds; round++) {
      const found = fourier.forward(fourier.inverse(guess), wanted.length / fourier.bins);
      const ahead = {
        re: found.re.map((v, n) => v + MOMENTUM * (v - previous.re[n])),
        im: found.im.map((v, n) => v + MOMENTUM * (v - previous.im[n])),
      };
      const scale = wanted.map((v, n) => v / Math.max(Math.hypot(ahead.re[n], ahead.im[n]), SMALLEST));
      guess = { re: ahead.re.map((v, n) => v * scale[n]), im: ahead.im.map((v, n) => v * scale[n]) };
      previous = found;
    }
    return guess;
  }

  /** Magnitudes [T, bins] that a log-mel asks for. */
  #wanted(mel, bands) {
    const { bins } = this.fourier;
    const count = mel.length / bands;
    const found = new Float32Array(count * bins);
    const sums = new Float64Array(bins);
    for (let frame = 0; frame < count; frame++) {
      sums.fill(0);
      for (let band = 0; band < bands; band++) {
        const level = Math.exp(mel[frame * bands + band]);
        for (let bin = 0; bin < bins; bin++) sums[bin] += level * this.inverseFilters[band * bins + bin];
      }
      for (let bin = 0; bin < bins; bin++) found[frame * bins + bin] = Math.max(sums[bin], SMALLEST);
    }
    return found;
  }

  /** How what sounds differs from what was asked for [T, 2 * bins]: real and imaginary part of each bin. */
  #mismatch(spectrum, count) {
    const found = this.fourier.forward(this.fourier.inverse(spectrum), count);
    const ratio = new Float32Array(2 * found.re.length);
    for (let n = 0; n < found.re.length; n++) {
      const [a, b, c, d] = [found.re[n], found.im[n], spectrum.re[n], spectrum.im[n]];
      const powers = a * a + b * b + c * c + d * d + TINY;
      ratio[2 * n] = (a * c + b * d) / powers;
      ratio[2 * n + 1] = (b * c - a * d) / powers;
    }
    return ratio;
  }
}

function product(one, other) {
  return {
    re: one.re.map((v, n) => v * other.re[n] - one.im[n] * other.im[n]),
    im: one.re.map((v, n) => v * other.im[n] + one.im[n] * other.re[n]),
  };
}
