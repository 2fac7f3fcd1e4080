// Cutting sound and codes into overlapping windows at fixed places, and joining what is made of them: what
// `tokenizer/streaming.py` does to streams, on whole arrays. Knows no model.

/**
 * @typedef {object} Place where a window lies
 * @property {number} number 0, 1, 2, ... along the sound
 * @property {number} start first element of the window, its surroundings included
 * @property {number} stop behind the last
 * @property {number} left length of the context before
 * @property {number} size length of the piece itself
 * @property {number} right length of the context after
 */

/**
 * The windows of a sound.
 * @param {number} total length of the sound
 * @param {number} size length of a piece
 * @param {number} context length of the context on each side
 * @param {boolean} filled let windows at the end reach back further, so that they are as long as the others
 * @returns {Place[]}
 */
export function windows(total, size, context, filled) {
  const found = [];
  for (let number = 0; number * size < total; number++) {
    const start = number * size;
    const stop = Math.min(start + size, total);
    const right = Math.min(total - stop, context);
    const missing = size - (stop - start) + context - right;
    const left = Math.min(start, filled ? context + missing : context);
    found.push({ number, start: start - left, stop: stop + right, left, size: stop - start, right });
  }
  return found;
}

/**
 * Joins overlapping pieces of frames by cross-fading them around each seam.
 * @param {{frames: Float32Array, left: number, right: number}[]} pieces [n, M] each, with the length of its surroundings
 * @param {number} fade length of the cross-fade, half of it on each side of a seam
 * @param {number} bands M
 * @returns {Float32Array} [T, M]
 */
export function joined(pieces, fade, bands) {
  const half = fade >> 1;
  const ready = [];
  let tail = null;
  for (const { frames, left, right } of pieces) {
    const count = frames.length / bands;
    const before = Math.min(left, half);
    const after = Math.min(right, half);
    const kept = frames.slice((left - before) * bands, (count - right + after) * bands);
    if (tail) {
      const overlap = tail.length / bands;
      for (let place = 0; place < tail.length; place++) {
        const rise = (Math.floor(place / bands) + 0.5) / overlap;
        kept[place] = tail[place] * (1 - rise) + kept[place] * rise;
      }
    }
    const done = kept.length - (right ? (half + after) * bands : 0);
    ready.push(kept.subarray(0, done));
    tail = right ? kept.subarray(done) : null;
  }
  return concatenated(ready);
}

/**
 * Arrays of one kind, one after the other.
 * @template {Float32Array | Int32Array} A
 * @param {A[]} arrays at least one
 * @returns {A}
 */
export function concatenated(arrays) {
  const whole = new arrays[0].constructor(arrays.reduce((sum, one) => sum + one.length, 0));
  let place = 0;
  for (const one of arrays) {
    whole.set(one, place);
    place += one.length;
  }
  return whole;
}
