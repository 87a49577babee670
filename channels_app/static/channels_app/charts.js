// A cursor for charts: by mouse, finger and keyboard. Its words are those of the chart's table, so that the page without
// this file says the same. Dragging across a plot shows that time alone; a click, or Enter, leads to the requests under it.
"use strict";
(() => {
const LEAST = 2; // intervals to drag across; fewer are a slip of the hand
let drag = null;

const plots = () => document.querySelectorAll("[data-chart] .plot");
const chartOf = (plot) => plot.closest("[data-chart]");
const count = (plot) => Number(chartOf(plot).dataset.count);
const rows = (plot) => chartOf(plot).querySelectorAll(".numbers tbody tr");
const start = (plot, at) => rows(plot)[at]?.cells[0].dataset.from ?? chartOf(plot).dataset.until;
const direct = (name, element) => element.querySelector(`:scope > .${name}`);

function placeOf(plot, event) {
  const box = plot.getBoundingClientRect();
  const at = Math.floor(((event.clientX - box.left) / box.width) * count(plot));
  return Math.max(0, Math.min(at, rows(plot).length - 1));
}

function part(plot, name) {
  let element = direct(name, plot);
  if (!element) {
    element = document.createElement("div");
    element.className = name;
    element.setAttribute("aria-hidden", "true");
    plot.append(element);
  }
  return element;
}

// The crosshair stands on all charts of time at once, by time: their intervals may differ.
function show(plot, at) {
  plot.dataset.at = at;
  const time = start(plot, at);
  for (const other of plots()) {
    const times = [...rows(other)].map((row) => row.cells[0].dataset.from);
    const place = other === plot ? at : times.findLastIndex((one) => one <= time);
    if (place < 0) continue;
    part(other, "crosshair").style.left = `${(100 * (place + 0.5)) / count(other)}%`;
    if (other !== plot) direct("tip", other)?.remove();
  }
  tell(plot, at);
}

function tell(plot, at) {
  const tip = part(plot, "tip");
  const heads = chartOf(plot).querySelectorAll(".numbers thead th");
  const cells = [...rows(plot)[at].cells];
  const entries = cells.slice(1).map((cell, index) => ({ cell, head: heads[index + 1] }))
    .filter(({ cell, head }) => head.dataset.hidden === undefined && (cell.dataset.value !== "0" || head.dataset.part === undefined));
  const value = ({ cell }) => Number(cell.dataset.value ?? -1);
  const series = entries.filter(({ head }) => head.dataset.part !== undefined).sort((one, other) => value(other) - value(one));
  const others = entries.filter(({ head }) => head.dataset.part === undefined);
  const sum = (name) => others.map((one) => name in one.head.dataset ? value(one) : 0).find((one) => one > 0);
  const [total, before] = [sum("total"), sum("before")];
  const title = document.createElement("p");
  title.textContent = cells[0].textContent;
  title.dataset.zone = chartOf(plot).dataset.zone; // shown, and not said at each step of the keys
  const shares = series.map((one) => total && value(one) > 0 ? percent(value(one) / total) : "");
  const changes = others.map((one) => "before" in one.head.dataset && total && before ? change(total / before - 1) : "");
  tip.replaceChildren(title, ...series.slice(0, 10).map((one, at) => entry(one, shares[at], plot)),
    ...others.map((one, at) => entry(one, changes[at], plot)));
  const far = (at + 0.5) / count(plot) > 0.5;
  tip.style.left = far ? "auto" : `calc(${(100 * (at + 1)) / count(plot)}% + 8px)`;
  tip.style.right = far ? `calc(${100 - (100 * at) / count(plot)}% + 8px)` : "auto";
}

function entry({ cell, head }, share, plot) {
  const row = document.createElement("div");
  const [name, amount, part] = ["span", "b", "small"].map((tag) => document.createElement(tag));
  name.textContent = head.textContent;
  amount.textContent = cell.textContent;
  part.textContent = share;
  row.append(marker(head), name, amount, part);
  if (plot.dataset.series === String(head.cellIndex)) row.className = "at";
  return row;
}

const percent = (share) => share < 0.001 ? "<0.1%" : `${(Math.floor(1000 * share) / 10).toFixed(share === 1 ? 0 : 1)}%`;
const change = (share) => `${share < 0 ? "−" : "+"}${(100 * Math.abs(share)).toFixed(1)}%`;

function marker(head) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 10 10");
  svg.setAttribute("class", `marker ${head.dataset.fill ?? ""}`);
  if (head.dataset.shape) {
    const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
    use.setAttribute("href", `#m-${head.dataset.shape}`);
    svg.append(use);
  }
  return svg;
}

function hide() {
  for (const plot of plots()) {
    for (const name of ["crosshair", "tip", "chosen"]) direct(name, plot)?.remove();
    for (const name of ["at", "mark", "series"]) delete plot.dataset[name];
  }
  drag = null;
}

function choose(plot, from, to) {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  const area = part(plot, "chosen");
  area.style.left = `${(100 * first) / count(plot)}%`;
  area.style.width = `${(100 * (last + 1 - first)) / count(plot)}%`;
  return [first, last];
}

function zoom(plot, first, last) {
  const address = new URL(chartOf(plot).dataset.zoom, location.href);
  address.searchParams.set("from", start(plot, first));
  address.searchParams.set("to", start(plot, last + 1));
  location.assign(address);
}

// To the requests of an interval, and of the series at that place of its head in the table.
function open(plot, at, series) {
  const chart = chartOf(plot);
  if (!chart.dataset.records || at < 0) return;
  const address = new URL(chart.dataset.records, location.href);
  const [name, wanted] = [...new URLSearchParams(chart.querySelectorAll(".numbers thead th")[series]?.dataset.condition)][0] ?? [];
  if (name) address.searchParams.set(name, wanted);
  address.searchParams.set("from", start(plot, at));
  address.searchParams.set("to", start(plot, at + 1));
  location.assign(address);
}

// Which series of a stack is under the pointer: 0, the time, where none is.
function under(plot, at, event) {
  const scale = chartOf(plot).dataset.scale, box = plot.getBoundingClientRect();
  if (scale === undefined) return 0;
  const cells = [...rows(plot)[at].cells], parts = series(plot);
  const values = parts.map((place) => Number(cells[place].dataset.value ?? 0));
  let left = (Number(scale) || values.reduce((one, other) => one + other, 0)) * (1 - (event.clientY - box.top) / box.height);
  return parts.find((_place, part) => (left -= values[part]) <= 0) ?? 0;
}

const series = (plot) => [...chartOf(plot).querySelectorAll(".numbers thead th[data-part]:not([data-hidden])")].map((head) => head.cellIndex);

const over = (event) => event.target.closest?.("[data-chart] .plot");

document.addEventListener("pointermove", (event) => {
  const plot = drag?.plot ?? over(event);
  if (!plot) return event.target.closest?.(".plot") || (document.activeElement?.matches(".plot") ? null : hide());
  const at = placeOf(plot, event);
  show(plot, at);
  if (drag) choose(plot, drag.at, at);
});

document.addEventListener("pointerdown", (event) => {
  const plot = over(event);
  if (plot && event.pointerType === "mouse" && event.button === 0) drag = { plot, at: placeOf(plot, event), x: event.clientX };
  else if (plot && event.button === 0) show(plot, placeOf(plot, event));
});

document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { plot, at, x } = drag;
  const [first, last] = choose(plot, at, placeOf(plot, event));
  drag = null;
  direct("chosen", plot)?.remove();
  if (last + 1 - first >= LEAST) zoom(plot, first, last);
  else if (over(event) === plot && Math.abs(event.clientX - x) < 4) open(plot, at, under(plot, at, event));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return hide();
  const plot = event.target.closest?.(".plot");
  if (!plot) return;
  const last = rows(plot).length - 1;
  const at = Number(plot.dataset.at ?? last + 1);
  if (event.key === "Enter" && plot.dataset.mark) return zoom(plot, ...choose(plot, Number(plot.dataset.mark), at));
  if (event.key === "Enter" && plot.dataset.at) return open(plot, at, Number(plot.dataset.series ?? 0));
  const by = { ArrowUp: -1, ArrowDown: 1 }[event.key], to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  if (to === undefined && !by) return;
  event.preventDefault();
  if (by) return walk(plot, Math.min(at, last), by);
  if (event.shiftKey) plot.dataset.mark ??= Math.min(at, last);
  else delete plot.dataset.mark;
  show(plot, Math.max(0, Math.min(to, last)));
  let words = direct("tip", plot).innerText;
  if (plot.dataset.mark) {
    const [first, last] = choose(plot, Number(plot.dataset.mark), Number(plot.dataset.at));
    words = `${start(plot, first)} – ${start(plot, last + 1)}`.replaceAll("T", " ");
  } else direct("chosen", plot)?.remove();
  document.getElementById("live").textContent = words;
});

// Up and down the series, in the order of the legend; what has nothing there is named too.
function walk(plot, at, by) {
  const parts = series(plot), place = parts.indexOf(Number(plot.dataset.series ?? 0));
  const next = parts[place < 0 ? (by > 0 ? 0 : parts.length - 1) : (place + by + parts.length) % parts.length];
  plot.dataset.series = next;
  show(plot, at);
  const head = chartOf(plot).querySelectorAll(".numbers thead th")[next];
  document.getElementById("live").textContent = `${head.textContent}: ${rows(plot)[at].cells[next].textContent}`;
}

// With Alt or ⌘ one of the legend is shown alone.
document.addEventListener("click", (event) => {
  const only = (event.altKey || event.metaKey) && event.target.closest?.(".legend li")?.querySelector(".only");
  if (!only || event.target.closest(".only")) return;
  event.preventDefault();
  event.stopPropagation();
  only.click();
}, true);

document.addEventListener("focusout", (event) => event.target.closest?.(".plot") && hide());

// Which tables are open outlives the renewal of the page.
const opened = new Set();
document.addEventListener("toggle", (event) => {
  if (event.target.matches?.(".numbers")) opened[event.target.open ? "add" : "delete"](event.target.id);
}, true);

function settle() {
  for (const table of document.querySelectorAll(".numbers")) table.open = opened.has(table.id);
}

document.addEventListener("renewed", settle);
settle();
document.documentElement.dataset.charts = "1";
})();
