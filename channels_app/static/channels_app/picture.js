// A chart as a PNG, drawn from what its viewer sees: SVG is taken over with the look that the page gives it, boxes and words
// are drawn where they stand. The period and the filters are written beneath: the image is looked at elsewhere.

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = 16, BENEATH = 28, SCALE = 2;
const LEFT_OUT = ".menu, .numbers, .sr-only, .only, .tip, .crosshair, .chosen, .window, .toolbar, [hidden]";
const LOOK = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity",
  "vector-effect", "shape-rendering", "font-family", "font-size", "font-weight", "text-anchor"];
const CLEAR = "rgba(0, 0, 0, 0)";

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function dress(copy, original) {
  const look = getComputedStyle(original);
  for (const name of LOOK) copy.setAttribute(name, look.getPropertyValue(name));
}

// Its own and all its parts' look; of what is used from elsewhere only where a class gives it one: the rest is inherited.
function taken(original, { all }) {
  const copy = original.cloneNode(true), parts = original.querySelectorAll("*");
  [copy, ...copy.querySelectorAll("*")].forEach((part, at) => {
    const its = at ? parts[at - 1] : original;
    if (all || its.classList.length) dress(part, its);
    part.removeAttribute("class");
  });
  return copy;
}

function svg(original, box) {
  const style = getComputedStyle(original), copy = taken(original, { all: true });
  const [left, right] = [parseFloat(style.paddingLeft), parseFloat(style.paddingRight)];
  const place = { x: box.left + left, y: box.top, width: box.width - left - right, height: box.height, overflow: style.overflowX };
  for (const [key, value] of Object.entries(place)) copy.setAttribute(key, value);
  return copy;
}

const fill = (box, color) => element("rect", { x: box.left, y: box.top, width: box.width, height: box.height, rx: 2, fill: color });

function* words(node) {
  const style = getComputedStyle(node.parentElement), clip = style.overflowX === "hidden" && node.parentElement.getBoundingClientRect();
  const range = document.createRange();
  const place = (from, to) => {
    range.setStart(node, from);
    range.setEnd(node, to);
    return range.getClientRects();
  };
  for (const word of node.textContent.matchAll(/\S+/g)) {
    const isBroken = place(word.index, word.index + word[0].length).length > 1;
    for (const part of isBroken ? word[0].matchAll(/./gsu) : [{ 0: word[0], index: 0 }]) {
      const from = word.index + part.index, [box] = place(from, from + part[0].length);
      if (!box || (clip && box.left >= clip.right)) continue;
      const text = element("text", { y: "50%", "dominant-baseline": "central", fill: style.color, "text-decoration": style.textDecorationLine });
      for (const name of ["font-family", "font-size", "font-weight"]) text.setAttribute(name, style.getPropertyValue(name));
      text.textContent = part[0];
      const width = clip ? Math.min(box.right, clip.right) - box.left : box.width;
      const frame = element("svg", { x: box.left, y: box.top, width, height: box.height, overflow: clip ? "hidden" : "visible" });
      frame.append(text);
      yield frame;
    }
  }
}

function* drawn(shown) {
  const box = shown.getBoundingClientRect(), style = getComputedStyle(shown), before = getComputedStyle(shown, "::before");
  if (shown.matches(LEFT_OUT) || !box.width || style.visibility === "hidden") return;
  if (shown instanceof SVGSVGElement) return void (yield svg(shown, box));
  if (style.backgroundColor !== CLEAR) yield fill(box, style.backgroundColor);
  if (shown.matches(".gap")) yield fill(box, "url(#p-gap)");
  const size = parseFloat(before.width); // of the swatch of a key
  if (before.backgroundColor !== CLEAR && size) {
    const top = box.top + (box.height - size) / 2;
    yield element("rect", { x: box.left, y: top, width: size, height: size, rx: 2, fill: before.backgroundColor, opacity: before.opacity });
  }
  for (const node of shown.childNodes) {
    if (node instanceof Text) yield* words(node);
    else if (node instanceof Element) yield* drawn(node);
  }
}

// What it refers to: hatchings, and the shapes of markers.
function* referred(root) {
  const found = new Set([...root.outerHTML.matchAll(/#([mp]-[\w-]+)/g)].map((one) => one[1]));
  for (const id of found) {
    const original = document.getElementById(id);
    if (original) yield taken(original, { all: false });
  }
}

function ground(shown) {
  const color = shown && getComputedStyle(shown).backgroundColor;
  return !shown || color !== CLEAR ? color : ground(shown.parentElement);
}

export async function draw(chart) {
  const box = chart.getBoundingClientRect();
  const parts = [...drawn(chart)];
  const bottom = Math.max(...[...chart.children].filter((one) => !one.matches(LEFT_OUT)).map((one) => one.getBoundingClientRect().bottom));
  const [width, height] = [box.width + 2 * MARGIN, bottom - box.top + 2 * MARGIN + BENEATH];
  const view = [box.left - MARGIN, box.top - MARGIN, width, height];
  const root = element("svg", { width: SCALE * width, height: SCALE * height, viewBox: view.join(" ") });
  const body = getComputedStyle(document.body);
  const note = element("text", { x: box.left, y: bottom + BENEATH, "font-size": 12, "font-family": body.fontFamily, fill: body.color });
  const told = document.querySelectorAll(".filtered .chip:not(#clear), .filtered .period");
  note.textContent = [...told].map((one) => one.textContent.trim()).join(" · ");
  root.append(element("rect", { x: view[0], y: view[1], width, height, fill: ground(chart) ?? body.backgroundColor }), ...parts, note);
  const definitions = element("defs", {});
  definitions.append(...referred(root));
  root.prepend(definitions);
  return png(root, SCALE * width, SCALE * height);
}

async function png(root, width, height) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(root))}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error("no image"))), "image/png"));
}
