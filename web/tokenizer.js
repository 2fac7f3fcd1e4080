// Sound to codes and back: what `AudioTokenizer` does, with onnxruntime-web. Arrays in, arrays out; touches no page.

import * as ort from "./vendor/ort.wasm.min.mjs";
import { integrated, noiseAt } from "./flow.js";
import { Fourier, logMel, transposed } from "./fourier.js";
import { floats } from "./safetensors.js";
import { Vocoder } from "./vocoder.js";
import { concatenated, joined, windows } from "./windows.js";

const FRAMES_PER_CODE = 4;
const VOCODER_FRAMES = 384;
const WEIGHTS = "model.safetensors";

ort.env.wasm.wasmPaths = new URL("./vendor/", import.meta.url).href;
ort.env.wasm.numThreads = 1; // more need memory that pages of plain files may not share

export class Tokenizer {
  /**
   * Loads what `python -m tools.web` has written.
   * @param {URL} folder
   */
  static async load(folder) {
    const get = (name) => fetched(new URL(name, folder));
    const [config, tables] = await Promise.all([get("model.json"), get("tables.safetensors")]);
    const settings = JSON.parse(new TextDecoder().decode(config));
    const weights = await get(WEIGHTS);
    const networks = {};
    for (const name of ["encoder", "trunk", "denoiser"]) {
      networks[name] = await network(await get(`${name}.onnx`), weights);
    }
    networks.vocoder = await network(await get("vocoder/vocoder.onnx"), await get(`vocoder/${WEIGHTS}`));
    return new Tokenizer(settings, floats(tables.buffer), networks);
  }

  constructor(settings, tables, networks) {
    this.settings = settings;
    this.tables = tables;
    this.networks = networks;
    const { n_fft: size, hop_samples: hop } = settings.mel;
    this.fourier = new Fourier(size, hop);
    this.samplesPerCode = hop * FRAMES_PER_CODE;
    this.vocoder = new Vocoder({
      fourier: this.fourier,
      inverseFilters: tables.inverse_filters,
      turns: tables.turns,
      rounds: settings.vocoder.griffin_lim_iters,
      network: networks.vocoder,
    });
  }

  /** Codes [N] of a waveform [S] at the tokenizer's rate, N = ceil(S / samplesPerCode). */
  async encode(waveform) {
    const unit = this.samplesPerCode;
    const { codes: size, context } = this.settings.window;
    const sound = new Float32Array(Math.ceil(waveform.length / unit) * unit);
    sound.set(waveform);
    const found = [];
    // One code more on each side than the network sees: the mel window reaches beyond the frames.
    for (const place of windows(sound.length, size * unit, (context + 1) * unit, true)) {
      found.push(await this.#codesOf(sound, place));
    }
    return concatenated(found);
  }

  async #codesOf(sound, place) {
    const unit = this.samplesPerCode;
    const { codes: size, context } = this.settings.window;
    const { n_mels: bands, hop_samples: hop } = this.settings.mel;
    const mel = logMel(this.fourier, this.tables.filters, sound.subarray(place.start, place.stop));
    const start = place.left < place.number * size * unit ? FRAMES_PER_CODE : 0;
    const stop = (place.stop - place.start) / hop - (place.right === (context + 1) * unit ? FRAMES_PER_CODE : 0);
    const seen = transposed(mel.subarray(start * bands, stop * bands), bands);
    const { codes } = await this.networks.encoder({ mel: [seen, [1, bands, stop - start]] });
    const first = (place.left - (start ? unit : 0)) / unit;
    return Int32Array.from(codes.subarray(first, first + place.size / unit), Number);
  }

  /**
   * The waveform [N * samplesPerCode] of codes [N].
   * @param {Int32Array} codes
   * @param {number} seed of the noise
   * @param {(first: number, count: number) => Float32Array} noise numbers from place `first` on, of all codes' frames
   */
  async decode(codes, seed = 0, noise = (first, count) => noiseAt(seed, first, count)) {
    const bands = this.settings.mel.n_mels;
    const hop = this.settings.mel.hop_samples;
    const mel = await this.#melOf(codes, noise);
    const found = [];
    for (const place of windows(mel.length / bands, VOCODER_FRAMES, this.settings.vocoder.context_frames, false)) {
      const waveform = await this.vocoder.waveform(mel.slice(place.start * bands, place.stop * bands));
      found.push(waveform.subarray(place.left * hop, (place.left + place.size) * hop));
    }
    return concatenated(found);
  }

  async #melOf(codes, noise) {
    const { window, decoder, mel } = this.settings;
    const pieces = [];
    for (const place of windows(codes.length, decoder.window.codes, decoder.window.context, true)) {
      const frames = await this.#framesOf(codes.subarray(place.start, place.stop), place.start, noise);
      pieces.push({ frames, left: place.left * FRAMES_PER_CODE, right: place.right * FRAMES_PER_CODE });
    }
    return joined(pieces, window.seam_frames, mel.n_mels);
  }

  async #framesOf(codes, first, noise) {
    const { decoder, scale, mel } = this.settings;
    const bands = mel.n_mels;
    const count = codes.length * FRAMES_PER_CODE;
    const { by_code: byCode, by_frame: byFrame } = await this.networks.trunk({ latents: this.#latents(codes) });
    const condition = {
      by_code: [byCode, [1, codes.length, byCode.length / codes.length]],
      by_frame: [byFrame, [1, count, byFrame.length / count]],
    };
    const pass = async (x, t, span, guidance) => {
      const steps = { t: one(t), span: one(span), guidance: one(guidance) };
      return (await this.networks.denoiser({ x: [x, [1, count, bands]], ...condition, ...steps })).result;
    };
    const frames =
      decoder.kind === "flow"
        ? await integrated(noise(first * FRAMES_PER_CODE * bands, count * bands), decoder, pass)
        : await pass(new Float32Array(count * bands), 0, 0, 1);
    const { mean, deviation } = this.tables;
    return frames.map((value, place) => {
      const normal = value * deviation[place % bands] + mean[place % bands];
      return Math.max(normal * scale.deviation + scale.mean, scale.floor);
    });
  }

  #latents(codes) {
    const width = this.tables.codebook.length / this.settings.quantizer.codebook_size;
    const found = new Float32Array(codes.length * width);
    codes.forEach((code, place) => {
      found.set(this.tables.codebook.subarray(code * width, (code + 1) * width), place * width);
    });
    return [found, [1, codes.length, width]];
  }
}

const one = (value) => [new Float32Array([value]), [1]];

async function fetched(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url.pathname} is missing: run make web.`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** A graph, as a call from arrays with their shapes by name to arrays by name. */
async function network(graph, weights) {
  const session = await ort.InferenceSession.create(graph, { externalData: [{ path: WEIGHTS, data: weights }] });
  return async (inputs) => {
    const entries = Object.entries(inputs).map(([name, [data, shape]]) => {
      return [name, new ort.Tensor("float32", data, shape)];
    });
    const outputs = await session.run(Object.fromEntries(entries));
    return Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, tensor.data]));
  };
}
