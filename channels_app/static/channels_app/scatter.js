// Comfort only: a box that is drawn across the points becomes bounds, as the fields above them have; a point opens its record.
"use strict";
(() => {
const LEAST = 6; // pixels; a smaller box is a click, which opens the record of the point that is this near
const NEAR = 10;
let start = null;

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

function moment(share) {
  return new Date(Math.round(value("x", share) / 1000)).toISOString().slice(0, 19) + "Z";
}

function address(base, [left, top], [right, bottom]) {
  const { x, y } = field().dataset;
  const url = new URL(base, location.href);
  if (x === "time") {
    for (const name of ["range", "days"]) url.searchParams.delete(name);
    url.searchParams.set("from", moment(left));
    url.searchParams.set("to", moment(right));
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

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  start = null;
  clear();
});
})();
