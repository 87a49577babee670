// Comfort only: a record opens in a drawer beside its list, and who reads the newest page is told what has come since.
"use strict";

const drawer = () => document.getElementById("drawer");
let opener;

async function openRecord(address, replace) {
  const url = new URL(address);
  url.searchParams.set("partial", "1");
  const answer = await fetch(url).catch(() => null);
  if (!answer?.ok) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  drawer().replaceChildren(...page.body.childNodes);
  for (const element of drawer().querySelectorAll("[data-close], [data-copy]")) element.hidden = false;
  if (!drawer().open) drawer().showModal();
  drawer().scrollTop = 0;
  document.getElementById("record-title").focus();
  if (replace !== null) history[replace ? "replaceState" : "pushState"](null, "", address);
}

const isRecord = () => /\/records\/\d+\/$/.test(location.pathname);

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

addEventListener("popstate", () => {
  if (!drawer()?.open) return;
  if (isRecord()) return void openRecord(location.href, null);
  drawer().close();
  document.getElementById(opener)?.focus();
});

document.addEventListener("keydown", (event) => {
  const step = { j: "record-older", k: "record-newer" }[event.key];
  if (drawer()?.open && step && !event.ctrlKey && !event.metaKey && !event.altKey) document.getElementById(step)?.click();
});

const everySoOften = +(document.documentElement.dataset.refresh ?? 30); // 0: the viewer wants no renewal
if (everySoOften) setInterval(async () => {
  const button = document.querySelector("[data-watch]");
  if (!button || document.hidden) return;
  const answer = await fetch(button.dataset.watch).catch(() => null);
  const text = answer?.ok && !answer.redirected ? (await answer.text()).trim() : "";
  if (text) button.textContent = text;
  button.hidden = !button.textContent;
}, 1000 * everySoOften);
