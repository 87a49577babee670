// Comfort only: a page whose figures still grow asks for itself again (ui.md 14), as often as its viewer wants and while
// nobody is at work on it. Three failures in a row are told.
"use strict";
(() => {
const LONGEST = 300; // seconds, to wait after failures
let failures = 0, before = Date.now(), told = 0, isDragging = false;
let values = null; // of the figures, while the page asks for itself

const seconds = () => +(document.documentElement.dataset.refresh ?? report()?.dataset.refresh ?? 0);
const wait = () => Math.max(seconds(), Math.min(seconds() * 2 ** failures, LONGEST));

const isBusy = () => document.hidden || !navigator.onLine || isDragging || String(getSelection())
  || document.querySelector("details.menu[open], dialog[open], [aria-busy=true], .plot[data-at], .selection")
  || [...document.querySelectorAll("[popover]")].some((popover) => popover.checkVisibility());

async function renew() {
  before = Date.now();
  values = new Map([...document.querySelectorAll(".kpi .value")].map((one) => [one.closest(".kpi").id, one.textContent]));
  failures = (await swap(location.href, { quiet: true })) ? 0 : failures + 1;
  values = null;
  const stale = document.getElementById("stale");
  if (failures === 1) stale.querySelector("time").textContent = clock(stale.dataset.zone);
  stale.hidden = failures < 3;
}

const clock = (timeZone) => new Date().toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });

// What has changed is told at most once a minute, and shown for a moment.
document.addEventListener("renewed", () => {
  for (const [id, text] of values ?? []) {
    const value = document.querySelector(`#${id} .value`);
    if (value && value.textContent !== text) value.classList.add("changed");
  }
  if (!values || Date.now() - told < 60_000) return;
  told = Date.now();
  const live = document.getElementById("live");
  live.textContent = `${live.dataset.updated} ${clock(document.getElementById("stale").dataset.zone)}`;
});

setInterval(() => {
  if (report()?.dataset.refresh && seconds() && Date.now() - before >= 1000 * wait() && !isBusy()) renew();
}, 1000);

// Who reads the newest page of records is told what has come since, and nothing moves.
const between = +(document.documentElement.dataset.refresh ?? 30); // seconds; 0: the viewer wants no renewal
if (between) setInterval(async () => {
  const button = document.querySelector("[data-watch]");
  if (!button || document.hidden) return;
  const answer = await fetch(button.dataset.watch).catch(() => null);
  const text = answer?.ok && !answer.redirected ? (await answer.text()).trim() : "";
  if (text) button.textContent = text;
  button.hidden = !button.textContent;
}, 1000 * between);

document.addEventListener("pointerdown", () => { isDragging = true; });
for (const end of ["pointerup", "pointercancel", "blur"]) addEventListener(end, () => { isDragging = false; });

document.addEventListener("click", async (event) => {
  const now = event.target.closest("[data-renew]");
  if (now && report()) {
    event.preventDefault();
    now.closest("details").open = false;
    renew();
  }
  const link = event.target.closest("[data-copy-link]");
  if (link && navigator.clipboard) { // over plain http there is none: the link is followed, and the address bar has it
    event.preventDefault();
    await navigator.clipboard.writeText(link.href);
    link.closest("details").open = false;
    document.getElementById("live").textContent = document.getElementById("live").dataset.copied;
    link.closest("details").querySelector("summary").focus();
  }
});
})();
