// Reads and writes WAV files. The browser's own decodeAudioData() scales 8 and 16 bits differently above and below
// zero, so a network would get other samples than in training.

const PCM = 1, FLOAT = 3, EXTENSIBLE = 0xfffe;

/** Samples of a WAV file, all channels mixed down: {rate, samples}; samples is a Float32Array, -1 to 1. */
export function readWav(buffer) {
  const view = new DataView(buffer);
  const name = (at) => String.fromCharCode(...new Uint8Array(buffer, at, 4));
  if (buffer.byteLength < 12 || name(0) !== "RIFF" || name(8) !== "WAVE") throw new Error("this is no WAV file");
  let format, data;
  for (let at = 12; at + 8 <= buffer.byteLength && !data; ) {
    const size = view.getUint32(at + 4, true);
    if (name(at) === "fmt ") format = at + 8;
    if (name(at) === "data") data = { start: at + 8, size: Math.min(size, buffer.byteLength - at - 8) };
    at += 8 + size + (size % 2);
  }
  if (format === undefined || !data) throw new Error("the WAV file has no samples");
  const channels = view.getUint16(format + 2, true);
  const bits = view.getUint16(format + 14, true);
  const tag = view.getUint16(format, true);
  const kind = tag === EXTENSIBLE ? view.getUint16(format + 24, true) : tag;
  const read = {
    [`${PCM} 8`]: (at) => (view.getUint8(at) - 128) / 128,
    [`${PCM} 16`]: (at) => view.getInt16(at, true) / 2 ** 15,
    [`${PCM} 24`]: (at) => (view.getUint16(at, true) + view.getInt8(at + 2) * 2 ** 16) / 2 ** 23,
    [`${PCM} 32`]: (at) => view.getInt32(at, true) / 2 ** 31,
    [`${FLOAT} 32`]: (at) => view.getFloat32(at, true),
  }[`${kind} ${bits}`];
  if (!read) throw new Error(`the WAV file has ${bits} bits of format ${kind}; wanted PCM, or 32-bit float`);
  const width = bits / 8;
  const samples = new Float32Array(Math.floor(data.size / width / channels));
  for (let i = 0; i < samples.length; i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += read(data.start + (i * channels + c) * width);
    samples[i] = sum / channels;
  }
  return { rate: view.getUint32(format + 4, true), samples };
}

/** A mono WAV file of 32-bit floats, as a Blob. */
export function writeWav(samples, rate) {
  const header = new DataView(new ArrayBuffer(44));
  const text = (at, value) => [...value].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
  text(0, "RIFF");
  header.setUint32(4, 36 + 4 * samples.length, true);
  text(8, "WAVEfmt ");
  header.setUint32(16, 16, true);
  header.setUint16(20, FLOAT, true);
  header.setUint16(22, 1, true);
  header.setUint32(24, rate, true);
  header.setUint32(28, 4 * rate, true);
  header.setUint16(32, 4, true);
  header.setUint16(34, 32, true);
  text(36, "data");
  header.setUint32(40, 4 * samples.length, true);
  return new Blob([header, samples], { type: "audio/wav" });
}
