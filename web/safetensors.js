// Reads tensors of 32-bit floats from a safetensors file: a header in JSON, and their bytes one after the other.

/**
 * @param {ArrayBuffer} buffer the file
 * @returns {Record<string, Float32Array>} by name
 */
export function floats(buffer) {
  const size = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, size)));
  delete header.__metadata__;
  const entries = Object.entries(header).map(([name, { data_offsets: [first, end] }]) => {
    return [name, new Float32Array(buffer.slice(8 + size + first, 8 + size + end))];
  });
  return Object.fromEntries(entries);
}
