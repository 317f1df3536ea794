// The page: a model and a recording in, two players out.

import { readWav, writeWav } from "./wav.js";

const at = (id) => document.getElementById(id);
const show = (text, state) => {
  at("status").textContent = text;
  document.body.dataset.state = state;
  at("model").disabled = at("wav").disabled = state === "busy";
};
const files = {};

/** Run the recording through the model as soon as both are there. */
async function play() {
  if (!files.model || !files.wav) return;
  try {
    show("Loading …", "busy");
    const { Model } = await import("./model.js").catch(() => {
      throw new Error("onnxruntime-web is not beside this page; bring it with: npm install");
    });
    const model = await Model.open(files.model);
    const recording = readWav(files.wav);
    const dry = await resampled(recording, model.rate);
    at("progress").max = dry.length;
    const began = performance.now();
    const factor = (done) => done / model.rate / ((performance.now() - began) / 1000);
    const processed = await model.process(dry, async (done) => {
      at("progress").value = done;
      show(`${factor(done).toFixed(1)} times as fast as it plays …`, "busy");
      // Let the browser draw.
      await new Promise((resolve) => setTimeout(resolve));
    });
    const speed = factor(dry.length).toFixed(1);
    at("dry").src = URL.createObjectURL(writeWav(dry, model.rate));
    at("processed").src = at("download").href = URL.createObjectURL(writeWav(processed, model.rate));
    at("download").hidden = false;
    show(`${(dry.length / model.rate).toFixed(1)} s at ${model.rate} Hz, ${speed} times as fast as it plays.`, "done");
  } catch (error) {
    show(`Error: ${error.message}`, "failed");
  }
}

async function resampled({ samples, rate }, wanted) {
  if (rate === wanted || !samples.length) return samples;
  const context = new OfflineAudioContext(1, Math.ceil((samples.length * wanted) / rate), wanted);
  const source = context.createBufferSource();
  source.buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
  source.buffer.copyToChannel(samples, 0);
  source.connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

// `?model=amp.onnx&wav=dry.wav`: files beside this page.
const addresses = new URLSearchParams(location.search);
for (const name of ["model", "wav"]) {
  at(name).addEventListener("change", async ({ target }) => {
    files[name] = await target.files[0]?.arrayBuffer();
    play();
  });
}
try {
  for (const name of ["model", "wav"]) if (addresses.has(name)) files[name] = await fetched(addresses.get(name));
  play();
} catch (error) {
  show(`Error: ${error.message}`, "failed");
}
