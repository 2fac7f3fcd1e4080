// Computes beside the page, so that it stays alive: takes `{id, call, arguments}`, gives `{id, result}` or `{id, error}`.

import { Tokenizer } from "./tokenizer.js";

const loaded = Tokenizer.load(new URL("./model/", import.meta.url));

const calls = {
  settings: async () => {
    const { settings, samplesPerCode } = await loaded;
    return { ...settings, samplesPerCode };
  },
  encode: async (waveform) => (await loaded).encode(waveform),
  // `noise` [4N, M] is for comparisons; without it, it is drawn by the seed.
  decode: async (codes, seed, noise) => {
    const given = noise && ((first, count) => noise.slice(first, first + count));
    return (await loaded).decode(codes, seed, given ?? undefined);
  },
};

self.onmessage = async ({ data: { id, call, arguments: given } }) => {
  try {
    self.postMessage({ id, result: await calls[call](...given) });
  } catch (error) {
    self.postMessage({ id, error: error.message ?? String(error) });
  }
};
