// Fourier transforms of frames, the log-mel, and back to a waveform: `audio/mel.py` and `vocoder/spectral.py`.
// Frame i is centred on sample i * hop, and outside the signal are zeros.

/** A transform of `size` complex numbers, a power of two, in place. */
class Transform {
  constructor(size) {
    this.size = size;
    this.cosines = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos((2 * Math.PI * k) / size));
    this.sines = Float64Array.from({ length: size / 2 }, (_, k) => Math.sin((2 * Math.PI * k) / size));
    const bits = Math.log2(size);
    this.swapped = Uint32Array.from({ length: size }, (_, place) => {
      let turned = 0;
      for (let bit = 0; bit < bits; bit++) turned |= ((place >> bit) & 1) << (bits - 1 - bit);
      return turned;
    });
  }

  /** @param {Float64Array} re @param {Float64Array} im @param {1 | -1} sign -1 is forward; nothing is divided */
  run(re, im, sign) {
    const { size, cosines, sines, swapped } = this;
    for (let place = 0; place < size; place++) {
      const other = swapped[place];
      if (other > place) {
        [re[place], re[other]] = [re[other], re[place]];
        [im[place], im[other]] = [im[other], im[place]];
      }
    }
    for (let width = 2; width <= size; width *= 2) {
      const half = width / 2;
      const stride = size / width;
      for (let first = 0; first < size; first += width) {
        for (let k = 0; k < half; k++) {
          const low = first + k;
          const high = low + half;
          const cos = cosines[k * stride];
          const sin = sign * sines[k * stride];
          const real = re[high] * cos - im[high] * sin;
          const imaginary = re[high] * sin + im[high] * cos;
          re[high] = re[low] - real;
          im[high] = im[low] - imaginary;
          re[low] += real;
          im[low] += imaginary;
        }
      }
    }
  }
}

/**
 * @typedef {object} Spectrum
 * @property {Float32Array} re [T, bins]
 * @property {Float32Array} im [T, bins]
 */

/** Waveforms to complex frames and back. */
export class Fourier {
  /** @param {number} size length of a frame, a power of two @param {number} hop distance between frames */
  constructor(size, hop) {
    this.size = size;
    this.hop = hop;
    this.bins = size / 2 + 1;
    this.window = Float32Array.from({ length: size }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / size));
    this.transform = new Transform(size);
    this.re = new Float64Array(size);
    this.im = new Float64Array(size);
  }

  /** The spectrum of each of `count` frames of a waveform. @returns {Spectrum} */
  forward(waveform, count) {
    const { size, hop, bins, window, re, im } = this;
    const found = { re: new Float32Array(count * bins), im: new Float32Array(count * bins) };
    for (let frame = 0; frame < count; frame++) {
      const first = frame * hop - size / 2;
      for (let n = 0; n < size; n++) re[n] = (waveform[first + n] ?? 0) * window[n];
      im.fill(0);
      this.transform.run(re, im, -1);
      found.re.set(re.subarray(0, bins), frame * bins);
      found.im.set(im.subarray(0, bins), frame * bins);
    }
    return found;
  }

  /** The waveform [T * hop] whose frames are nearest to a spectrum. @param {Spectrum} spectrum */
  inverse(spectrum) {
    const { size, hop, bins, window } = this;
    const count = spectrum.re.length / bins;
    const sum = new Float32Array((count - 1) * hop + size);
    const envelope = new Float32Array(sum.length);
    for (let frame = 0; frame < count; frame++) {
      const samples = this.#samples(spectrum, frame * bins);
      for (let n = 0; n < size; n++) {
        sum[frame * hop + n] += samples[n] * window[n];
        envelope[frame * hop + n] += window[n] * window[n];
      }
    }
    const half = size / 2;
    return Float32Array.from({ length: count * hop }, (_, n) => sum[half + n] / envelope[half + n]);
  }

  #samples(spectrum, first) {
    const { size, bins, re, im } = this;
    for (let bin = 0; bin < bins; bin++) {
      re[bin] = spectrum.re[first + bin];
      im[bin] = bin % (size / 2) ? spectrum.im[first + bin] : 0;
      if (bin % (size / 2)) {
        re[size - bin] = re[bin];
        im[size - bin] = -im[bin];
      }
    }
    this.transform.run(re, im, 1);
    return re.map((value) => value / size);
  }
}

const FLOOR = 1e-7;

/**
 * The log-mel [T, M] of a waveform, T = ceil(S / hop).
 * @param {Fourier} fourier
 * @param {Float32Array} filters [M, bins]
 * @param {Float32Array} waveform [S]
 */
export function logMel(fourier, filters, waveform) {
  const { bins, hop } = fourier;
  const count = Math.ceil(waveform.length / hop);
  const bands = filters.length / bins;
  const spectrum = fourier.forward(waveform, count);
  const found = new Float32Array(count * bands);
  const levels = new Float64Array(bins);
  for (let frame = 0; frame < count; frame++) {
    for (let bin = 0; bin < bins; bin++) {
      levels[bin] = Math.hypot(spectrum.re[frame * bins + bin], spectrum.im[frame * bins + bin]);
    }
    for (let band = 0; band < bands; band++) {
      let sum = 0;
      for (let bin = 0; bin < bins; bin++) sum += filters[band * bins + bin] * levels[bin];
      found[frame * bands + band] = Math.log(Math.max(sum, FLOOR));
    }
  }
  return found;
}

/** A matrix [T, M] as [M, T], or back. @param {Float32Array} matrix @param {number} width M */
export function transposed(matrix, width) {
  const height = matrix.length / width;
  const turned = new Float32Array(matrix.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) turned[column * height + row] = matrix[row * width + column];
  }
  return turned;
}
