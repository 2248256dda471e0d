"use strict";
// Panels: what carries one of the same leaf numbers lights up together.
const byLeaf = new Map();
for (const element of document.querySelectorAll("[data-n]")) {
  for (const n of element.dataset.n.split(" ")) {
    if (!byLeaf.has(n)) byLeaf.set(n, []);
    byLeaf.get(n).push(element);
  }
}
let lit = [];
function light(event) {
  const source = event.target.closest ? event.target.closest("[data-n]") : null;
  for (const element of lit) element.classList.remove("lit");
  lit = source ? source.dataset.n.split(" ").flatMap((n) => byLeaf.get(n) || []) : [];
  for (const element of lit) element.classList.add("lit");
  const at = document.getElementById("at");
  if (source && at) at.textContent = source.dataset.at;
}
if (byLeaf.size > 0) {
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, light);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") light({ target: document });
  });
}
// The live list: replaces the rows, but never under a focus or while paused.
const table = document.querySelector("table[data-live]");
if (table) {
  const pause = document.getElementById("pause");
  const state = document.getElementById("live-state");
  const body = table.tBodies[0];
  let waiting = null;
  let said = 0;
  const say = (text, now) => {
    if (now || Date.now() - said > 10000) {
      said = Date.now();
      state.textContent = text;
    }
  };
  const isPaused = () => pause.getAttribute("aria-pressed") === "true";
  const show = () => {
    if (waiting === null || isPaused() || body.contains(document.activeElement)) return;
    body.innerHTML = waiting;
    waiting = null;
  };
  const source = new EventSource(table.dataset.live);
  source.addEventListener("rows", (event) => {
    waiting = event.data;
    show();
    say(waiting === null ? "Live" : "Newer rows wait");
  });
  source.addEventListener("ended", () => {
    source.close();
    say("Ended. Refresh to go on.", true);
  });
  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    say(isPaused() ? "Paused" : "Live", true);
    show();
  });
  body.addEventListener("focusout", () => setTimeout(show, 0));
  addEventListener("pagehide", () => source.close());
}
