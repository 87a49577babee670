// The window of a strip of time: two handles, and a grip that moves both. Where they come to rest becomes the page's period,
// as the links of the strip's table do.
"use strict";
(() => {
const REST = 350; // ms after the last move
let timer, grip = null;

const part = () => document.querySelector("[data-window]");
const handles = () => [...part().querySelectorAll("input")];
const chart = () => part().closest("[data-chart]");
const count = () => Number(chart().dataset.count);
const begun = () => Number(part().dataset.begun);
const time = (at) => chart().querySelectorAll(".numbers tbody tr")[at]?.cells[0].dataset.from ?? chart().dataset.until;

function place(first, end) {
  const [from, to] = handles();
  [from.value, to.value] = [first, end];
  for (const handle of [from, to]) handle.setAttribute("aria-valuetext", time(Number(handle.value)).replace("T", " "));
  const [before, after] = part().querySelectorAll(".outside");
  before.setAttribute("width", `${(100 * first) / count()}%`);
  after.setAttribute("x", `${(100 * end) / count()}%`);
  const bar = part().querySelector(".grip");
  bar.style.left = `${(100 * first) / count()}%`;
  bar.style.width = `${(100 * (end - first)) / count()}%`;
}

// One interval at least, and none that has not begun.
function settle(moved) {
  let [first, end] = handles().map((handle) => Number(handle.value));
  end = Math.min(end, begun());
  if (moved === handles()[0]) first = Math.min(first, end - 1);
  else end = Math.max(end, first + 1);
  place(first, end);
}

function go() {
  const [first, end] = handles().map((handle) => Number(handle.value));
  const isWhole = first === 0 && end === begun();
  const address = new URL(isWhole ? part().dataset.whole : chart().dataset.zoom, location.href);
  if (!isWhole) {
    address.searchParams.set("from", time(first));
    address.searchParams.set("to", time(end));
  }
  address.searchParams.sort();
  swap(address.href, { push: true });
}

function rest() {
  clearTimeout(timer);
  timer = setTimeout(go, REST);
}

const isHandle = (element) => element.matches?.("[data-window] input");

document.addEventListener("input", (event) => {
  if (!isHandle(event.target)) return;
  clearTimeout(timer);
  settle(event.target);
});

document.addEventListener("change", (event) => isHandle(event.target) && rest());

document.addEventListener("pointerdown", (event) => {
  if (!event.target.matches?.("[data-window] .grip") || event.button !== 0) return;
  event.preventDefault();
  const [first, end] = handles().map((handle) => Number(handle.value));
  grip = { x: event.clientX, first, length: end - first };
  clearTimeout(timer);
});

document.addEventListener("pointermove", (event) => {
  if (!grip) return;
  const steps = Math.round(((event.clientX - grip.x) / part().getBoundingClientRect().width) * count());
  const first = Math.max(0, Math.min(grip.first + steps, begun() - grip.length));
  place(first, first + grip.length);
});

for (const end of ["pointerup", "pointercancel"])
  document.addEventListener(end, () => {
    if (grip && Number(handles()[0].value) !== grip.first) rest();
    grip = null;
  });

function show() {
  clearTimeout(timer);
  if (!part()) return;
  for (const element of part().querySelectorAll("[hidden]")) element.hidden = false;
  settle();
}

document.addEventListener("renewed", show);
show();
})();
