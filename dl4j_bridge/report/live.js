"use strict";

// The page of a running training: it asks for the state and shows what is new.

const EVERY = 1500;   // milliseconds
const one = id => document.getElementById(id);
const player = one("sound").querySelector("audio");
let failures = 0, last = null;

async function refresh() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    failures = 0;
  } catch {
    failures += 1;
    if (failures > 2) {
      one("stop").disabled = true;
      one("status").textContent = "The training program has ended. What is below is its last state.";
      return;
    }
  }
  if (!last?.ended) setTimeout(refresh, EVERY);
}

function show(state) {
  one("status").textContent = state.status;
  one("stop").disabled = state.ended || state.stopping;
  one("tiles").innerHTML = state.tiles;
  one("found").innerHTML = state.found;
  if (state.curves && !one("curves").firstChild) one("curves").innerHTML = state.curves;
  if (state.step !== last?.step) {
    // The old picture stays until the new one is there.
    for (const picture of one("curves").querySelectorAll("img")) {
      picture.src = `${picture.getAttribute("src").split("?")[0]}?step=${state.step}`;
    }
  }
  showPreview(state.preview);
  last = state;
}

// A newer sound waits until nobody listens.
function showPreview(version) {
  if (version === null || !player.paused || player.dataset.version === String(version)) return;
  player.dataset.version = version;
  player.src = `preview.wav?version=${version}`;
  one("sound").hidden = false;
  one("silence").hidden = true;
}

one("stop").onclick = async () => {
  one("stop").disabled = true;
  await fetch("stop", { method: "POST" });
};

refresh();
