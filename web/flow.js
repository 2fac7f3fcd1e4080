// From latents to log-mel: the few jumps of the flow decoder (`tokenizer/decoding.py`, `flow/`).

/** Times [steps + 1] from 0 to 1; see `time_grid`. */
export function timeGrid(steps, shift) {
  return Float32Array.from({ length: steps + 1 }, (_, n) => {
    const t = Math.fround(n / steps);
    return t / (shift + (1 - shift) * t);
  });
}

const pathDeviation = (t, deviation) => Math.sqrt((t * deviation) ** 2 + (1 - t) ** 2);

/** What `gaussian_velocity` multiplies x by. */
function gaussianRate(t, span, deviation) {
  const start = pathDeviation(t, deviation);
  const end = pathDeviation(t + span, deviation);
  return (deviation ** 2 * (2 * t + span) - 2 * (1 - t) + span) / (start * (start + end));
}

/**
 * Carries noise to data.
 * @param {Float32Array} noise [4N, M]
 * @param {{steps: number, guidance: number, time_shift: number, residual_deviation: number}} config of the decoder
 * @param {(x: Float32Array, t: number, span: number, guidance: number) => Promise<Float32Array>} pass of the denoiser
 * @returns {Promise<Float32Array>} [4N, M]
 */
export async function integrated(noise, config, pass) {
  const times = timeGrid(config.steps, config.time_shift);
  let x = noise;
  for (let step = 0; step < config.steps; step++) {
    const t = times[step];
    const span = Math.fround(times[step + 1] - t);
    const residual = await pass(x, t, span, config.guidance);
    const rate = gaussianRate(t, span, config.residual_deviation);
    x = x.map((value, place) => value + span * (rate * value + residual[place]));
  }
  return x;
}

/**
 * Standard normal noise that belongs to absolute places, so that neighbouring windows agree on what they share.
 * @param {number} seed @param {number} first the first of the numbers @param {number} count
 */
export function noiseAt(seed, first, count) {
  return Float32Array.from({ length: count }, (_, n) => normal(seed, first + n));
}

function normal(seed, place) {
  const radius = Math.sqrt(-2 * Math.log((hashed(seed, 2 * place) + 1) / 2 ** 32 / (1 + 2 ** -32)));
  return radius * Math.cos((2 * Math.PI * hashed(seed, 2 * place + 1)) / 2 ** 32);
}

/** 32 bits of a place: the finalizer of MurmurHash3, twice. */
function hashed(seed, place) {
  let h = Math.imul(place ^ Math.imul(seed + 1, 0x9e3779b1), 0x85ebca6b);
  for (let round = 0; round < 2; round++) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
  }
  return h >>> 0;
}
