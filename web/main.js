// The page: takes a sound, and shows its codes and what they decode to beside it. All of it stays in the browser.

import { drawCodes, drawSpectrogram, drawWaveform } from "./drawing.js";
import { decoded, recording, wav } from "./sound.js";

const LONGEST_SECONDS = 60;
const $ = (id) => document.getElementById(id);
const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
const waiting = new Map();

worker.onmessage = ({ data: { id, result, error } }) => {
  const { resolve, reject } = waiting.get(id);
  waiting.delete(id);
  if (error) reject(new Error(error));
  else resolve(result);
};
worker.onerror = ({ message }) => say(`This browser cannot run the tokenizer: ${message ?? "no module workers"}.`);

/** Has the worker call something. */
function ask(call, ...given) {
  return new Promise((resolve, reject) => {
    const id = crypto.randomUUID();
    waiting.set(id, { resolve, reject });
    worker.postMessage({ id, call, arguments: given });
  });
}

const state = { settings: null, original: null, codes: null, waveform: null, stop: null };

function say(text) {
  $("status").textContent = text;
}

/** Runs what a button starts; nothing else can be started meanwhile. */
async function busy(work) {
  for (const control of document.querySelectorAll("button, input")) control.disabled = true;
  try {
    await work();
  } catch (error) {
    say(`Something went wrong: ${error.message}`);
  } finally {
    for (const control of document.querySelectorAll("button, input")) control.disabled = false;
    $("again").disabled = !state.codes;
  }
}

async function take(bytes) {
  let waveform;
  try {
    waveform = await decoded(bytes, state.settings.mel.sample_rate);
  } catch {
    say("This browser cannot read that file as sound: give WAV, MP3, Ogg or FLAC.");
    return;
  }
  if (!waveform.length) {
    say("The sound is empty: give one that holds samples.");
    return;
  }
  const most = LONGEST_SECONDS * state.settings.mel.sample_rate;
  state.original = waveform.length > most ? waveform.slice(0, most) : waveform;
  say("Encoding …");
  const started = performance.now();
  state.codes = await ask("encode", state.original);
  const taken = (performance.now() - started) / 1000;
  await decode();
  const cut = waveform.length > most ? ` Only the first ${LONGEST_SECONDS} s were taken.` : "";
  $("status").textContent += ` Encoding took ${taken.toFixed(1)} s.${cut}`;
}

async function decode() {
  const rate = state.settings.mel.sample_rate;
  say("Decoding …");
  const started = performance.now();
  const waveform = await ask("decode", state.codes, Number($("seed").value) || 0, null);
  state.waveform = waveform.slice(0, state.original.length);
  show("original", state.original, rate);
  show("decoded", state.waveform, rate);
  $("result").hidden = false;
  draw();
  const bits = state.codes.length * Math.ceil(Math.log2(state.settings.quantizer.codebook_size));
  const seconds = state.original.length / rate;
  $("bits").textContent =
    `${state.codes.length} codes, ${bits} bits: ${(bits / seconds).toFixed(0)} bit/s, ` +
    `1/${Math.round((16 * state.original.length) / bits)} of the samples in 16 bits.`;
  $("codes-text").value = Array.from(state.codes).join(" ");
  say(`Decoding took ${((performance.now() - started) / 1000).toFixed(1)} s.`);
}

function show(name, waveform, rate) {
  const player = $(`${name}-player`);
  URL.revokeObjectURL(player.src);
  player.src = URL.createObjectURL(wav(waveform, rate));
}

function draw() {
  if (!state.codes) return;
  drawWaveform($("original-waveform"), state.original);
  drawSpectrogram($("original-spectrogram"), state.original);
  drawCodes($("codes"), state.codes, state.settings.quantizer.codebook_size);
  drawWaveform($("decoded-waveform"), state.waveform);
  drawSpectrogram($("decoded-spectrogram"), state.waveform);
}

async function record() {
  if (state.stop) {
    const stop = state.stop;
    state.stop = null;
    $("record").textContent = "Record";
    await busy(async () => take(await stop()));
    return;
  }
  try {
    state.stop = await recording();
  } catch (error) {
    say(`The microphone cannot be used (${error.message}): allow it, or give a file.`);
    return;
  }
  $("record").textContent = "Stop";
  say("Recording …");
}

$("file").onchange = ({ target }) => target.files[0] && busy(async () => take(await target.files[0].arrayBuffer()));
$("record").onclick = record;
$("again").onclick = () => busy(decode);
window.addEventListener("resize", draw);
document.body.ondragover = (event) => event.preventDefault();
document.body.ondrop = (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (file) busy(async () => take(await file.arrayBuffer()));
};

busy(async () => {
  state.settings = await ask("settings");
  say("Ready: give a sound. It does not leave this browser.");
});

window.makesomenoise = { ask, state }; // for comparisons with other implementations
