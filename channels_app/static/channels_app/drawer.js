// Comfort only: a record opens in a drawer beside the list that leads to it, and is in the address bar meanwhile.
"use strict";

const drawer = () => document.getElementById("drawer");
let opener; // the id of the link that has the focus again afterwards

async function openRecord(address, replace) {
  const url = new URL(address);
  url.searchParams.set("partial", "1");
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok || answer.redirected) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  drawer().replaceChildren(...page.body.childNodes);
  for (const element of drawer().querySelectorAll("[data-close], [data-copy]")) element.hidden = false;
  if (!drawer().open) drawer().showModal();
  drawer().scrollTop = 0;
  document.getElementById("record-title").focus();
  if (replace !== null) history[replace ? "replaceState" : "pushState"]({ inDrawer: true }, "", address);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-drawer]");
  if (link && drawer() && innerWidth >= 720 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    if (!drawer().open) opener = link.id;
    openRecord(link.href, drawer().open);
  }
  if (event.target === drawer() || event.target.closest("[data-close]")) history.back();
});

document.addEventListener("cancel", (event) => {
  if (event.target !== drawer()) return;
  event.preventDefault(); // the list's own address comes back, and with it the drawer closes
  history.back();
}, true);

// Back closes it and forward opens it again; all other steps are between states of the page itself (core.js).
addEventListener("popstate", ({ state }) => {
  if (state?.inDrawer && drawer()) return void openRecord(location.href, null);
  if (!drawer()?.open) return;
  drawer().close();
  document.getElementById(opener)?.focus();
});

document.addEventListener("keydown", (event) => {
  const step = { j: "record-older", k: "record-newer" }[event.key];
  if (drawer()?.open && step && !event.ctrlKey && !event.metaKey && !event.altKey) document.getElementById(step)?.click();
});
