// A model that `dl4j-bridge export --format onnx` wrote, in onnxruntime-web. Use this file in pages of your own.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

// Threads would need headers that a simple server does not send, and a small LSTM gains nothing from them.
ort.env.wasm.numThreads = 1;

// Samples a call. The state is carried from block to block, so the size does not change the output.
const BLOCK = 4096;

export class Model {
  /** Open the content of an .onnx file, an ArrayBuffer. */
  static async open(content) {
    const about = metadata(new Uint8Array(content));
    if (about.predicts !== "target" || !(about.task in NETWORK_SIDE)) {
      throw new Error("this page plays models of --task frames or samples that have a target");
    }
    return new Model(about, await ort.InferenceSession.create(content));
  }

  constructor(about, session) {
    this.about = about;
    this.session = session;
    this.rate = Number(about.rate);
  }

  /** The output for a whole recording at the model's rate, a Float32Array, in the timing of the input. */
  async process(samples, report = async (done) => {}) {
    const { width, toInput, toSamples } = NETWORK_SIDE[this.about.task](this.about);
    const states = this.session.inputMetadata.filter((input) => input.name !== "input");
    let state = Object.fromEntries(states.map(({ name, shape }) => [name, zeros(shape.at(-1))]));
    const steps = Math.max(Math.floor(BLOCK / width), 1);
    const output = new Float32Array(Math.ceil(samples.length / width) * width);
    for (let start = 0; start < samples.length; start += steps * width) {
      const block = samples.subarray(start, start + steps * width);
      const found = await this.session.run({ input: toInput(block), ...state });
      state = Object.fromEntries(states.map(({ name }) => [name, found[`${name}_next`]]));
      output.set(toSamples(found.output.data), start);
      await report(start + block.length);
    }
    return delayed(output.subarray(0, samples.length), Number(this.about.delay));
  }
}

// What is between samples and the network, by task: the samples of a time step, and the way in and out.
const NETWORK_SIDE = {
  frames: ({ frame }) => {
    const width = Number(frame);
    const toInput = (block) => {
      const steps = Math.ceil(block.length / width);
      const padded = new Float32Array(steps * width);
      padded.set(block);
      return new ort.Tensor("float32", padded, [steps, 1, width]);
    };
    return { width, toInput, toSamples: (output) => output };
  },
  samples: ({ codec, pre_emphasis }) => {
    const { encode, decode } = CODECS[codec];
    const values = Float64Array.from({ length: 256 }, (_, level) => decode(level - 128));
    const a = Number(pre_emphasis);
    let lastIn = 0, lastOut = 0;
    const toInput = (block) => {
      const classes = BigInt64Array.from(block, (x) => {
        const emphasized = (x - a * lastIn) / (1 + a);
        lastIn = x;
        return BigInt(Math.min(Math.max(rint(encode(emphasized)) + 128, 0), 255));
      });
      return new ort.Tensor("int64", classes, [block.length, 1]);
    };
    const toSamples = (probabilities) =>
      Float32Array.from({ length: probabilities.length / 256 }, (_, t) => {
        let mean = 0;
        for (let level = 0; level < 256; level++) mean += values[level] * probabilities[256 * t + level];
        return (lastOut = (1 + a) * mean + a * lastOut);
      });
    return { width: 1, toInput, toSamples };
  },
};

// A sample as a level from -128 to 127, and back.
const MU = 255;
const CODECS = {
  linear: { encode: (x) => 128 * x, decode: (level) => level / 128 },
  mulaw: {
    encode: (x) => (127 * Math.sign(x) * Math.log1p(MU * Math.min(Math.abs(x), 1))) / Math.log1p(MU),
    decode: (level) => (Math.sign(level) * Math.expm1(Math.min(Math.abs(level) / 127, 1) * Math.log1p(MU))) / MU,
  },
};

/** Round half to even, as in training. */
function rint(x) {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 ? rounded - 1 : rounded;
}

function zeros(units) {
  return new ort.Tensor("float32", new Float32Array(units), [1, 1, units]);
}

/** Put back the delay that training removed. */
function delayed(samples, delay) {
  const later = Math.min(Math.max(delay, 0), samples.length);
  const shifted = new Float32Array(samples.length);
  shifted.set(samples.subarray(Math.max(-delay, 0), samples.length - later), later);
  return shifted;
}

/** The metadata of an .onnx file, which onnxruntime-web does not return: field 14 of the protobuf message ModelProto. */
function metadata(bytes) {
  const text = new TextDecoder();
  const entries = [...fields(bytes)].filter(([number]) => number === 14);
  return Object.fromEntries(entries.map(([, entry]) => [...fields(entry)].map(([, part]) => text.decode(part))));
}

/** Number and bytes of each field of a protobuf message that has bytes. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (!(byte & 128)) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    if ((tag & 7) === 0) {
      varint();
    } else if ((tag & 7) === 2) {
      const size = varint();
      yield [tag >> 3, bytes.subarray(at, at + size)];
      at += size;
    } else {
      throw new Error("this is no .onnx file");
    }
  }
}
