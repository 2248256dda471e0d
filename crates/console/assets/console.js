"use strict";
// Every page works without this script. It links panels, moves by keys, and renews what the server says may be renewed.

// Panels: what carries one of the same leaf numbers lights up together. A value whose path is in the address is pinned.
const byLeaf = new Map();
for (const element of document.querySelectorAll("[data-n]")) {
  for (const n of element.dataset.n.split(" ")) {
    if (!byLeaf.has(n)) byLeaf.set(n, []);
    byLeaf.get(n).push(element);
  }
}
const at = document.getElementById("at");
const rest = at ? at.textContent : "";
let lit = [];
let pinned = null;
function light(source) {
  for (const element of lit) element.classList.remove("lit");
  lit = source ? source.dataset.n.split(" ").flatMap((n) => byLeaf.get(n) || []) : [];
  for (const element of lit) element.classList.add("lit");
  if (!at) return;
  at.textContent = source ? source.dataset.at : rest;
  at.classList.toggle("lit", Boolean(source));
  if (source) seek(source);
}
// Boxes of the other panels scroll to what is lit in them; the page itself stands still.
function seek(source) {
  for (const box of document.querySelectorAll(".code, .tall")) {
    const first = box.contains(source) ? null : box.querySelector(".lit");
    if (!first || first.getClientRects().length === 0) continue;
    const [line, frame] = [first.getBoundingClientRect(), box.getBoundingClientRect()];
    if (line.top < frame.top || line.bottom > frame.bottom) box.scrollTop += line.top - frame.top - (frame.height - line.height) / 2;
  }
}
const sourceOf = (event) => (event.target.closest ? event.target.closest("[data-n]") : null);
function pin() {
  const id = decodeURIComponent(location.hash.slice(1));
  const target = id ? document.getElementById(id) : null;
  pinned = target ? target.closest("[data-n]") : null;
  if (!pinned) return;
  light(pinned);
  for (const element of lit) {
    const details = element.closest("details:not([open])");
    if (details && details.closest("#fhir, #twin")) details.open = true;
  }
  seek(target);
}
if (byLeaf.size > 0) {
  document.addEventListener("pointerover", (event) => light(sourceOf(event) || pinned));
  document.addEventListener("focusin", (event) => light(sourceOf(event) || pinned));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    if (pinned) history.replaceState(null, "", location.pathname + location.search);
    pinned = null;
    light(null);
  });
  addEventListener("hashchange", pin);
  pin();
}

// Keys of one message: `1` to `7` panels, `e` edit, `m` reveal, `x` explain at the cursor, `j` `k` fields.
const leaves = [...document.querySelectorAll("a.leaf[id]")];
function moveLeaf(step) {
  const from = document.activeElement && leaves.indexOf(document.activeElement);
  const start = from >= 0 ? from : pinned ? leaves.indexOf(pinned.closest("a.leaf") || pinned.querySelector("a.leaf")) : -1;
  const next = leaves[Math.min(Math.max(start + step, 0), leaves.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}
function messageKey(name) {
  const tab = document.querySelector(`a[data-panel="${CSS.escape(name)}"]`);
  if (tab) {
    const panel = document.querySelector(tab.getAttribute("href"));
    panel.scrollIntoView({ block: "start" });
    panel.focus({ preventScroll: true });
    return true;
  }
  if (leaves.length > 0 && (name === "j" || name === "k")) {
    moveLeaf(name === "j" ? 1 : -1);
    return true;
  }
  const edit = document.querySelector("a[data-edit]");
  const reason = document.getElementById("reason");
  if (name === "e" && edit) location.assign(edit.href);
  else if (name === "m" && reason) reason.focus();
  else if (name === "x" && byLeaf.size > 0) {
    const source = (document.activeElement && document.activeElement.closest("[data-n]")) || pinned;
    const of = source ? source.dataset.n.split(" ").flatMap((n) => byLeaf.get(n) || []) : [];
    const step = of.find((element) => element.closest("#trace"));
    if (step) {
      const details = step.closest("details");
      if (details) details.open = true;
      step.tabIndex = 0;
      step.scrollIntoView({ block: "center" });
      step.focus({ preventScroll: true });
    }
  } else return false;
  return true;
}

// Keys: `/` search, `j` `k` rows, `g` and a letter another page, `p` pause, `?` help. Off where the person said so.
const rowLinks = () => [...document.querySelectorAll("tbody tr")].map((row) => row.querySelector("a[href]")).filter(Boolean);
function moveRow(step) {
  const links = rowLinks();
  if (links.length === 0) return;
  const row = document.activeElement && document.activeElement.closest("tbody tr");
  const at = row ? links.findIndex((link) => row.contains(link)) : -1;
  const next = at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1);
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}
const goWithinMs = 1500;
let goes = -goWithinMs;
function key(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  if (event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]")) return;
  // When the key was pressed, not when this page came to it.
  const isGo = event.timeStamp - goes < goWithinMs;
  goes = -goWithinMs;
  if (isGo) {
    const page = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
    if (page) location.assign(page.href);
    return;
  }
  if (event.key === "g") goes = event.timeStamp;
  else if (messageKey(event.key)) event.preventDefault();
  else if (event.key === "j") moveRow(1);
  else if (event.key === "k") moveRow(-1);
  else if (event.key === "?") location.assign("/help");
  else if (event.key === "p") {
    const pause = document.getElementById("pause");
    if (pause && !pause.hidden) pause.click();
  } else if (event.key === "/") {
    const field = document.querySelector("[data-search]");
    const page = document.querySelector('a[href="/search"]');
    if (field) field.focus();
    else if (page) location.assign(page.href);
    event.preventDefault();
  }
}
if (document.body.dataset.keys) document.addEventListener("keydown", key);

// A button that stops what moves by itself (WCAG 2.2, 2.2.2), and a status that speaks at most every ten seconds.
const pause = document.getElementById("pause");
const state = document.getElementById("live-state");
const isPaused = () => pause.getAttribute("aria-pressed") === "true";
let said = 0;
function say(text, now) {
  if (now || Date.now() - said > 10000) {
    said = Date.now();
    state.textContent = text;
  }
}
function whenPaused(stop, go) {
  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    say(isPaused() ? "Paused" : "Live", true);
    if (isPaused()) stop();
    else go();
  });
}

// The live list: new rows come on top. Paused, nothing is received at all.
const table = document.querySelector("table[data-live]");
if (table) {
  const rowsMax = 50;
  const body = table.tBodies[0];
  let source = null;
  let fresh = 0;
  const put = (html, isNew) => {
    const part = document.createElement("template");
    part.innerHTML = html;
    if (isNew) {
      for (const old of body.querySelectorAll(".fresh, .more")) old.classList.contains("more") ? old.remove() : old.classList.remove("fresh");
      for (const row of part.content.children) row.classList.add("fresh");
      body.prepend(part.content);
      while (body.rows.length > rowsMax && !body.lastElementChild.contains(document.activeElement)) body.lastElementChild.remove();
      return;
    }
    const focused = body.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    body.replaceChildren(part.content);
    const again = focused && body.querySelector(`a[href="${CSS.escape(focused)}"]`);
    if (again) again.focus();
  };
  const stop = () => {
    if (source) source.close();
    source = null;
  };
  const go = () => {
    stop();
    source = new EventSource(table.dataset.live);
    source.addEventListener("page", (event) => {
      put(event.data, false);
      say("Live", said === 0);
    });
    source.addEventListener("rows", (event) => {
      put(event.data, true);
      fresh += Number(event.lastEventId) || 0;
      if (Date.now() - said > 10000) {
        say(`${fresh} new`, true);
        fresh = 0;
      }
    });
    source.addEventListener("ended", () => {
      stop();
      pause.hidden = true;
      say("Ended. Refresh to go on.", true);
    });
  };
  whenPaused(stop, go);
  go();
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => {
    if (event.persisted && !isPaused()) go();
  });
}

// Parts that are renewed: asked for again every so many seconds, not while they hold the focus or an open detail.
const renewed = document.querySelector("[data-renew]");
if (renewed && pause) {
  let timer = 0;
  const renew = async () => {
    const isBusy = document.hidden || renewed.contains(document.activeElement) || renewed.querySelector("details[open]");
    if (isBusy) return;
    try {
      const answer = await fetch(location.href, { headers: { "x-tidegate-by-itself": "1" }, cache: "no-store" });
      if (!answer.ok) {
        clearInterval(timer);
        pause.hidden = true;
        say("Ended. Refresh to go on.", true);
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const part = page.querySelector("[data-renew]");
      if (part && !isPaused()) renewed.replaceChildren(...part.childNodes);
    } catch {
      say("The node does not answer.", true);
    }
  };
  const go = () => {
    timer = setInterval(renew, Number(renewed.dataset.renew) * 1000);
  };
  whenPaused(() => clearInterval(timer), go);
  go();
}
