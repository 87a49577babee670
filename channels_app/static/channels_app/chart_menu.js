// Comfort only: what the menu of a chart has for who runs scripts: the chart as an image, and on a phone its table.
"use strict";
(() => {
const module = document.currentScript.dataset.picture; // draws the image; loaded when somebody asks for one
const canCopy = Boolean(navigator.clipboard?.write && window.ClipboardItem);

function settle() {
  for (const menu of document.querySelectorAll(".chart-menu")) {
    menu.querySelector("[data-image]").hidden = !canCopy;
    for (const table of menu.querySelectorAll("[data-table]")) table.hidden = false;
    menu.hidden = !menu.querySelector(".item:not([hidden])");
  }
}

function close(menu) {
  if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
  menu.open = false;
}

async function copy(button) {
  const live = document.getElementById("live"), label = button.textContent, menu = button.closest(".menu");
  const image = import(module).then(({ draw }) => draw(menu.closest("figure, .tile, .bubbles")));
  // Browsers want to be asked at once, while they know who clicked: what is promised may come later.
  const item = new ClipboardItem({ "image/png": image });
  const said = await navigator.clipboard.write([item]).then(() => "copied", () => "refused");
  button.textContent = live.textContent = live.dataset[said];
  setTimeout(() => {
    button.textContent = label;
    close(menu);
  }, 1500);
}

const tableOf = (button) => document.getElementById(button.getAttribute("aria-controls"));

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-image], [data-table]");
  if (!button) return;
  if ("image" in button.dataset) return void copy(button);
  const table = tableOf(button);
  table.open = !table.open;
  close(button.closest(".menu"));
  if (table.open) table.scrollIntoView({ block: "nearest" });
});

document.addEventListener("toggle", (event) => {
  for (const button of document.querySelectorAll("[data-table]")) {
    if (tableOf(button) === event.target) button.setAttribute("aria-expanded", event.target.open);
  }
}, true);

document.addEventListener("renewed", settle);
settle();
})();
