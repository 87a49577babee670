// A cursor for charts: by mouse, finger and keyboard. Its words are those of the chart's table, so that the page without
// this file says the same. Dragging across a plot shows that time alone.
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
  const title = document.createElement("p");
  title.textContent = cells[0].textContent;
  tip.replaceChildren(title, ...[...series.slice(0, 10), ...others].map(entry));
  const far = (at + 0.5) / count(plot) > 0.5;
  tip.style.left = far ? "auto" : `calc(${(100 * (at + 1)) / count(plot)}% + 8px)`;
  tip.style.right = far ? `calc(${100 - (100 * at) / count(plot)}% + 8px)` : "auto";
}

function entry({ cell, head }) {
  const row = document.createElement("div");
  const name = document.createElement("span");
  const amount = document.createElement("b");
  name.textContent = head.textContent;
  amount.textContent = cell.textContent;
  row.append(marker(head), name, amount);
  return row;
}

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
    delete plot.dataset.at;
    delete plot.dataset.mark;
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
  if (plot && event.pointerType === "mouse" && event.button === 0) drag = { plot, at: placeOf(plot, event) };
  else if (plot) show(plot, placeOf(plot, event));
});

document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { plot, at } = drag;
  const [first, last] = choose(plot, at, placeOf(plot, event));
  drag = null;
  direct("chosen", plot)?.remove();
  if (last + 1 - first >= LEAST) zoom(plot, first, last);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") return hide();
  const plot = event.target.closest?.(".plot");
  if (!plot) return;
  const last = rows(plot).length - 1;
  const at = Number(plot.dataset.at ?? last + 1);
  if (event.key === "Enter" && plot.dataset.at) return zoom(plot, ...choose(plot, Number(plot.dataset.mark ?? at), at));
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  if (to === undefined) return;
  event.preventDefault();
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
