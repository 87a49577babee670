// Comfort only: every page works without this file. Links marked data-swap show their page's report without a reload.
"use strict";

const report = () => document.querySelector("[data-report]");
const live = document.getElementById("live");

async function swap(address, { push }) {
  report().setAttribute("aria-busy", "true");
  const focused = document.activeElement?.id;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-report]");
    if (!answer.ok || !fresh) throw new Error("not this page any more");
    const searched = document.querySelector("[data-filter]")?.value ?? "";
    report().replaceWith(document.adoptNode(fresh));
    if (push) history.pushState(null, "", address.split("#")[0]);
    enhance();
    const filter = document.querySelector("[data-filter]");
    if (filter && searched) {
      filter.value = searched;
      applyFilter(filter);
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  } catch {
    location.assign(address); // signed out, or the server is away: let the browser say so
  }
}

function applyFilter(input) {
  const wanted = input.value.trim().toLocaleLowerCase();
  let shown = 0;
  for (const body of document.querySelectorAll("[data-report] tbody")) {
    const names = [...body.querySelectorAll("th")].map((cell) => cell.textContent).join(" ");
    body.hidden = !names.toLocaleLowerCase().includes(wanted);
    shown += body.hidden ? 0 : body.rows.length;
  }
  live.textContent = `${live.dataset.rows} ${shown}`;
}

// What makes no sense without JavaScript is hidden in the page and shown here.
function enhance() {
  for (const element of document.querySelectorAll("[data-filter-box], [data-copy], [data-reveal]")) element.hidden = false;
}

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== except) menu.open = false;
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest("details.menu"));
  const link = event.target.closest("a[data-swap]");
  if (link && report() && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    swap(link.href, { push: true });
  }
  const copy = event.target.closest("[data-copy]");
  if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => {
    const use = copy.querySelector("use");
    use.setAttribute("href", "#i-ok");
    live.textContent = live.dataset.copied;
    setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
  });
  const reveal = event.target.closest("[data-reveal]");
  if (reveal) {
    const input = document.getElementById(reveal.dataset.reveal);
    [reveal.textContent, reveal.dataset.hide] = [reveal.dataset.hide, reveal.textContent];
    input.type = input.type === "password" ? "text" : "password";
  }
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) applyFilter(event.target);
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  const toggle = event.target.closest?.("a.toggle");
  const opens = { ArrowRight: "false", ArrowLeft: "true" }[event.key];
  if (toggle && opens === toggle.getAttribute("aria-expanded")) {
    event.preventDefault();
    toggle.click();
  }
  const caps = document.querySelector("[data-caps]");
  if (caps && event.getModifierState) caps.hidden = !event.getModifierState("CapsLock");
});

addEventListener("popstate", () => report() && swap(location.href, { push: false }));

enhance();
document.querySelector("[data-focus]")?.focus();
document.documentElement.dataset.ready = "1";
