"use strict";

// The player of a report. All tracks run in step through Web Audio; switching moves only their gains.

// Seconds of a cross-fade, of a step of the arrow keys, and of what is played before the largest error.
const FADE = 0.01, STEP = 1, LEAD = 0.25;
// A pointer that moves less than this, in pixels, was a click.
const CLICK = 6;

for (const root of document.querySelectorAll(".listen")) listen(root);

function listen(root) {
  const one = selector => root.querySelector(selector);
  const all = selector => [...root.querySelectorAll(selector)];
  const audios = all("audio"), tracks = all(".tracks button"), wave = one(".wave"), looping = one(".looping");
  const seconds = Number(root.dataset.seconds);
  let sound = null;      // the context, its gains and the decoded tracks, once something was played
  let playing = null;    // the sources that run, and when they began
  let position = 0, region = null, track = 0, trial = null;

  // ---- sound

  async function load() {
    const context = new AudioContext();
    // Otherwise the ringer switch of a telephone mutes Web Audio.
    if (navigator.audioSession) navigator.audioSession.type = "playback";
    const master = context.createGain();
    master.connect(context.destination);
    const buffers = await Promise.all(audios.map(audio => context.decodeAudioData(bytes(audio.src))));
    const gains = buffers.map(() => context.createGain());
    gains.forEach(gain => gain.connect(master));
    return { context, master, buffers, gains };
  }

  function bytes(uri) {
    const text = atob(uri.slice(uri.indexOf(",") + 1));
    return Uint8Array.from(text, letter => letter.charCodeAt(0)).buffer;
  }

  async function play() {
    try {
      sound ??= load();
      const { context, buffers, gains } = await sound;
      await context.resume();
      stopSources();
      const start = context.currentTime + 0.02, from = position < seconds ? position : 0;
      const sources = buffers.map((buffer, index) => {
        const source = new AudioBufferSourceNode(context, { buffer, loop: looping.checked });
        [source.loopStart, source.loopEnd] = region ?? [0, seconds];
        gains[index].gain.value = index === audible() ? 1 : 0;
        source.connect(gains[index]);
        source.start(start, from);
        return source;
      });
      playing = { context, sources, start, from };
      sources[0].onended = () => { if (playing?.sources === sources) { stop(); position = 0; show(); } };
      show();
      requestAnimationFrame(follow);
    } catch (error) {
      sound = null;
      one(".plain").hidden = false;
      one(".message").textContent = `This browser cannot play the tracks in step (${error.message}).`;
    }
  }

  function stopSources() {
    if (!playing) return;
    const { sources } = playing;
    playing = null;
    sources.forEach(source => source.stop());
  }

  function stop() {
    position = now();
    stopSources();
    show();
  }

  // The place in the tracks, in seconds.
  function now() {
    if (!playing) return position;
    const at = playing.from + Math.max(playing.context.currentTime - playing.start, 0);
    if (!looping.checked) return Math.min(at, seconds);
    const [begin, end] = region ?? [0, seconds];
    return at < end ? at : begin + (at - begin) % (end - begin);
  }

  function seek(to) {
    position = Math.min(Math.max(to, 0), seconds);
    if (playing) play(); else show();
  }

  // The track that is heard: in a blind test that of A, B or X.
  function audible() {
    return trial ? trial.pair[trial.heard === 2 ? trial.x : trial.heard] : track;
  }

  async function fade() {
    show();
    if (!sound) return;
    const { context, master, gains } = await sound;
    let at = context.currentTime;
    if (trial) {
      // Every change of a blind test sounds the same, also from A to an X that is A.
      master.gain.setTargetAtTime(0, at, FADE / 3);
      at += 3 * FADE;
      master.gain.setTargetAtTime(1, at + FADE, FADE / 3);
    }
    gains.forEach((gain, index) => gain.gain.setTargetAtTime(index === audible() ? 1 : 0, at, FADE / 3));
  }

  function choose(index) {
    track = index;
    fade();
  }

  function loop(from, to) {
    position = now();
    region = to - from > 0.05 ? [Math.max(from, 0), Math.min(to, seconds)] : null;
    looping.checked = region !== null;
    seek(region ? region[0] : position);
  }

  // ---- what is shown

  function follow() {
    show();
    if (playing) requestAnimationFrame(follow);
  }

  function show() {
    const at = now();
    one(".cursor").style.left = `${100 * at / seconds}%`;
    one("output").textContent = `${at.toFixed(1)} / ${seconds.toFixed(1)} s`;
    wave.setAttribute("aria-valuenow", at.toFixed(2));
    wave.setAttribute("aria-valuetext", `${at.toFixed(1)} seconds`);
    one(".region").hidden = !region;
    if (region) {
      one(".region").style.left = `${100 * region[0] / seconds}%`;
      one(".region").style.width = `${100 * (region[1] - region[0]) / seconds}%`;
    }
    const text = playing ? "Pause" : "Play";
    if (one(".play span").textContent !== text) one(".play span").textContent = text;
    tracks.forEach((button, index) => {
      button.setAttribute("aria-pressed", !trial && index === track);
      button.disabled = trial !== null;
    });
    all(".heard button").forEach((button, index) => button.setAttribute("aria-pressed", trial?.heard === index));
  }

  // ---- the blind test

  function startTest() {
    const pair = all(".pair select").map(select => Number(select.value));
    if (pair[0] === pair[1]) {
      one(".result").textContent = "Choose two different tracks.";
      return;
    }
    trial = { pair, number: 0, right: 0, of: Number(one(".count").value), heard: 2, x: 0 };
    one(".result").textContent = "";
    nextTrial();
    play();
  }

  function nextTrial() {
    trial.x = crypto.getRandomValues(new Uint8Array(1))[0] & 1;
    trial.heard = 2;
    one(".question").textContent = `Trial ${trial.number + 1} of ${trial.of}. Is X the same as A or as B?`;
    showTest();
    fade();
  }

  function hear(index) {
    trial.heard = index;
    fade();
  }

  function answer(index) {
    trial.right += index === trial.x ? 1 : 0;
    trial.number += 1;
    if (trial.number < trial.of) nextTrial(); else endTest();
  }

  function endTest() {
    const { right, number, pair } = trial;
    trial = null;
    stop();
    showTest();
    fade();
    const names = pair.map(index => tracks[index].dataset.title).join(" and ");
    const p = chance(right, number);
    const verdict = p < 0.05 ? "you hear a difference" : "no evidence that you hear a difference";
    one(".result").textContent = number === 0 ? "Stopped before the first answer." :
      `${names}: ${right} of ${number} right, p = ${p.toPrecision(2)}: ${verdict}. p is the probability of at least ` +
      `as many right answers by guessing (binomial test, one-sided).`;
  }

  function showTest() {
    one(".setting").hidden = trial !== null;
    one(".trial").hidden = trial === null;
  }

  // Probability of at least `right` of `count` by guessing.
  function chance(right, count) {
    let ways = 1, sum = 0;
    for (let k = 0; k <= count; k++) {
      if (k >= right) sum += ways;
      ways = ways * (count - k) / (k + 1);
    }
    return sum / 2 ** count;
  }

  // ---- buttons, pointer and keys

  const toggle = () => { if (playing) stop(); else play(); };
  const jump = () => { if (root.dataset.worst) { seek(Number(root.dataset.worst) - LEAD); if (!playing) play(); } };
  one(".play").onclick = toggle;
  if (one(".jump")) one(".jump").onclick = jump;
  tracks.forEach((button, index) => { button.onclick = () => choose(index); });
  looping.onchange = () => {
    position = now();
    if (!looping.checked) region = null;
    seek(position);
  };
  one(".start").onclick = startTest;
  one(".end").onclick = endTest;
  all(".heard button").forEach((button, index) => { button.onclick = () => hear(index); });
  all(".answers button:not(.end)").forEach((button, index) => { button.onclick = () => answer(index); });

  const place = event => {
    const box = wave.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * seconds;
  };
  let pressed = null;
  wave.onpointerdown = event => {
    pressed = { x: event.clientX, at: place(event) };
    wave.setPointerCapture(event.pointerId);
  };
  wave.onpointerup = event => {
    if (!pressed) return;
    const to = place(event), { x, at } = pressed;
    pressed = null;
    if (Math.abs(event.clientX - x) >= CLICK) loop(Math.min(at, to), Math.max(at, to));
    else if (region && (at < region[0] || at > region[1])) { loop(0, 0); seek(at); } else seek(at);
  };
  wave.onpointercancel = () => { pressed = null; };

  const keys = {
    " ": toggle,
    arrowleft: () => seek(now() - STEP),
    arrowright: () => seek(now() + STEP),
    home: () => seek(0),
    e: jump,
    l: () => { looping.click(); },
    "[": () => loop(now(), region ? region[1] : seconds),
    "]": () => loop(region ? region[0] : 0, now()),
    escape: () => loop(0, 0),
  };
  const listening = { a: 0, b: 1, x: 2, 1: 0, 2: 1, 3: 2 };

  document.addEventListener("keydown", event => {
    const at = document.activeElement, key = event.key.toLowerCase();
    if (event.ctrlKey || event.altKey || event.metaKey || (at !== document.body && !root.contains(at))) return;
    // These use the keys themselves.
    if (at.matches("select, audio") || (key === " " && at.matches("button, summary, input"))) return;
    const action = trial && key in listening ? () => inTest(listening[key], event.shiftKey)
      : !trial && tracks[Number(key) - 1] ? () => choose(Number(key) - 1) : keys[key];
    if (!action) return;
    event.preventDefault();
    action();
  });

  function inTest(index, answered) {
    if (!answered) hear(index); else if (index < 2) answer(index);
  }

  // A click leaves the keys to the player: the space bar still plays and pauses.
  all("button").forEach(button => { button.onmousedown = event => event.preventDefault(); });

  one(".plain").hidden = true;
  one(".full").hidden = false;
  show();
}
