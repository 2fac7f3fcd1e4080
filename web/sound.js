// Files and the microphone to waveforms, and waveforms to WAV files.

/**
 * The mono waveform [S] of a sound file, at a rate.
 * @param {ArrayBuffer} bytes
 * @param {number} rate Hz
 */
export async function decoded(bytes, rate) {
  const context = new OfflineAudioContext(1, 1, rate); // which resamples what it decodes
  const buffer = await context.decodeAudioData(bytes);
  const mean = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    buffer.getChannelData(channel).forEach((value, n) => (mean[n] += value / buffer.numberOfChannels));
  }
  return mean;
}

/** Records the microphone. @returns {Promise<() => Promise<ArrayBuffer>>} what ends it and gives a sound file */
export async function recording() {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const recorder = new MediaRecorder(stream);
  const pieces = [];
  recorder.ondataavailable = ({ data }) => pieces.push(data);
  const ended = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  return async () => {
    recorder.stop();
    await ended;
    stream.getTracks().forEach((track) => track.stop());
    return new Blob(pieces).arrayBuffer();
  };
}

/** A WAV file of 16 bits. @param {Float32Array} waveform @param {number} rate Hz @returns {Blob} */
export function wav(waveform, rate) {
  const view = new DataView(new ArrayBuffer(44 + 2 * waveform.length));
  const text = (place, letters) => [...letters].forEach((letter, n) => view.setUint8(place + n, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 2 * waveform.length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true); // plain numbers
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 2 * rate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, 2 * waveform.length, true);
  waveform.forEach((v, n) => view.setInt16(44 + 2 * n, Math.round(32767 * Math.min(Math.max(v, -1), 1)), true));
  return new Blob([view], { type: "audio/wav" });
}
