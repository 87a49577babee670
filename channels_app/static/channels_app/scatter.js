// Comfort only: a box that is drawn across the points becomes bounds, as the fields above them have; a point opens its record.
"use strict";
(() => {
const LEAST = 6; // pixels; a smaller box is a click, which opens the record of the point that is this near
const NEAR = 10;
const STEP = 0.8; // of what is shown, by one turn of the wheel
const REST = 250; // ms after the last turn
let start = null, wheel = null, timer;

const field = () => document.querySelector("[data-points]");
const shares = (event, box) => [
  Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1),
  Math.min(Math.max((event.clientY - box.top) / box.height, 0), 1),
];

function value(axis, share) {
  const { [`${axis}Low`]: low, [`${axis}High`]: high, [`${axis}Log`]: log } = field().dataset;
  return log ? low * (high / low) ** share : Number(low) + (high - low) * share;
}

// A bound has no more digits than can be seen.
const bound = (axis, share) => String(Number((value(axis, share) / field().dataset[`${axis}Per`]).toPrecision(3)));

const iso = (micros) => new Date(Math.round(micros / 1000)).toISOString().slice(0, 19) + "Z";
const moment = (share) => iso(value("x", share));

function address(base, [left, top], [right, bottom]) {
  const { x, y, around } = field().dataset;
  const url = new URL(base, location.href);
  if (x === "time") {
    for (const name of ["range", "days"]) url.searchParams.delete(name);
    url.searchParams.set("from", moment(left));
    url.searchParams.set("to", moment(right));
    if (url.pathname === location.pathname) url.searchParams.set("around", around);
  } else {
    url.searchParams.set(`min_${x}`, bound("x", left));
    url.searchParams.set(`max_${x}`, bound("x", right));
  }
  url.searchParams.set(`min_${y}`, bound("y", 1 - bottom));
  url.searchParams.set(`max_${y}`, bound("y", 1 - top));
  return url.href;
}

function within([left, top], [right, bottom]) {
  let found = 0;
  const count = (x, y) => { if (x >= left && x <= right && y >= top && y <= bottom) found += 1; };
  for (const path of field().querySelectorAll(".dots"))
    for (const point of path.getAttribute("d").matchAll(/M(\d+) (\d+)/g)) count(point[1] / 1000, point[2] / 1000);
  for (const cross of field().querySelectorAll(".crosses use"))
    count(parseFloat(cross.getAttribute("x")) / 100, parseFloat(cross.getAttribute("y")) / 100);
  return found;
}

// The id of the record whose point is nearest to a place, if it is near.
function nearest([x, y], box) {
  let found = { id: null, distance: NEAR };
  const look = (id, left, top) => {
    const distance = Math.hypot((left - x) * box.width, (top - y) * box.height);
    if (distance < found.distance) found = { id, distance };
  };
  for (const path of field().querySelectorAll(".dots")) {
    const ids = path.dataset.ids.split(" ");
    [...path.getAttribute("d").matchAll(/M(\d+) (\d+)/g)].forEach((point, at) => look(ids[at], point[1] / 1000, point[2] / 1000));
  }
  for (const cross of field().querySelectorAll(".crosses use"))
    look(cross.dataset.id, parseFloat(cross.getAttribute("x")) / 100, parseFloat(cross.getAttribute("y")) / 100);
  return found.id;
}

function part(name) {
  let element = field().querySelector(`:scope > .${name}`);
  if (!element) {
    element = document.createElement("div");
    element.className = name;
    field().append(element);
  }
  return element;
}

function clear() {
  for (const name of ["box", "selection"]) field()?.querySelector(`:scope > .${name}`)?.remove();
  field()?.setAttribute("role", "img");
}

function ends(one, other) {
  return [one.map((share, at) => Math.min(share, other[at])), one.map((share, at) => Math.max(share, other[at]))];
}

function draw([left, top], [right, bottom]) {
  Object.assign(part("box").style, {
    left: `${100 * left}%`, top: `${100 * top}%`, width: `${100 * (right - left)}%`, height: `${100 * (bottom - top)}%`,
  });
}

function offer(first, last) {
  const { words, zoom, open, dismiss, here, records } = field().dataset;
  const bar = part("selection"), text = document.createElement("span");
  field().setAttribute("role", "group"); // an image may hold no links
  text.textContent = `${within(first, last).toLocaleString("en")} ${words}`;
  const links = [[zoom, here], [open, records]].map(([label, base]) => {
    const link = document.createElement("a");
    link.className = "button";
    link.textContent = label;
    link.href = address(base, first, last);
    return link;
  });
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = dismiss;
  button.addEventListener("click", clear);
  bar.replaceChildren(text, ...links, button);
  links[0].focus({ preventScroll: true });
  document.getElementById("live").textContent = text.textContent;
}

document.addEventListener("pointerdown", (event) => {
  const inside = event.target.closest?.("[data-points]");
  if (!inside || event.target.closest(".selection") || event.pointerType !== "mouse" || event.button !== 0) return;
  event.preventDefault();
  clear();
  start = shares(event, inside.getBoundingClientRect());
});

document.addEventListener("pointermove", (event) => {
  if (start) draw(...ends(start, shares(event, field().getBoundingClientRect())));
});

document.addEventListener("pointerup", (event) => {
  if (!start) return;
  const box = field().getBoundingClientRect();
  const [first, last] = ends(start, shares(event, box));
  start = null;
  if ((last[0] - first[0]) * box.width < LEAST || (last[1] - first[1]) * box.height < LEAST) {
    clear();
    const id = nearest(shares(event, box), box);
    if (id) openRecord(new URL(field().dataset.records, location.href).href.replace("/records/", `/records/${id}/`), false);
    return;
  }
  draw(first, last);
  offer(first, last);
});

// Ctrl and the wheel zoom about the pointer. What is further out than all there is has no bound.
document.addEventListener("wheel", (event) => {
  const inside = event.ctrlKey && event.target.closest?.("[data-points]");
  if (!inside) return;
  event.preventDefault();
  const [x, y] = shares(event, inside.getBoundingClientRect());
  const factor = event.deltaY < 0 ? STEP : 1 / STEP;
  const [first, last] = wheel ?? [[0, 0], [1, 1]];
  const about = (at, share) => at + (share - at) * factor;
  wheel = [[about(x, first[0]), about(y, first[1])], [about(x, last[0]), about(y, last[1])]];
  clear();
  draw(...wheel.map((point) => point.map((share) => Math.min(Math.max(share, 0), 1))));
  clearTimeout(timer);
  timer = setTimeout(zoom, REST);
}, { passive: false });

function zoom() {
  const [first, last] = wheel;
  wheel = null;
  clear();
  const { x, y, here, whole, first: earliest, last: latest } = field().dataset;
  const isAll = x === "time" && value("x", first[0]) <= Number(earliest) && value("x", last[0]) >= Number(latest);
  const url = new URL(address(here, first, last));
  if (isAll) {
    for (const name of ["from", "to", "around"]) url.searchParams.delete(name);
    const all = new URL(whole, location.href).searchParams;
    for (const name of ["range", "days", "from", "to"]) if (all.has(name)) url.searchParams.set(name, all.get(name));
  } else if (x === "time") {
    if (value("x", first[0]) < Number(earliest)) url.searchParams.set("from", iso(earliest));
    if (value("x", last[0]) > Number(latest)) url.searchParams.set("to", iso(latest));
  }
  const asked = new URL(location.href).searchParams;
  for (const [axis, low, high] of [["x", first[0], last[0]], ["y", 1 - last[1], 1 - first[1]]]) {
    const name = field().dataset[axis];
    if (name === "time") continue;
    // An end that had no bound gets none by zooming out.
    if (low < 0 && (!asked.has(`min_${name}`) || value(axis, low) <= 0)) url.searchParams.delete(`min_${name}`);
    if (high > 1 && !asked.has(`max_${name}`)) url.searchParams.delete(`max_${name}`);
  }
  url.searchParams.sort();
  swap(url.href, { push: true });
}

const isFree = () => !document.querySelector("dialog[open], details.menu[open]") && !document.activeElement?.matches("input, select, textarea");

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const isChoosing = start || field()?.querySelector(":scope > .selection");
  start = null;
  clear();
  if (!isChoosing && isFree()) document.getElementById("unzoom")?.click();
});
})();
