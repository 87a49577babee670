// Comfort only: every page works without this file. Links marked data-swap show the next state without a reload: what is
// marked data-live is replaced by what the server draws.
"use strict";

const announcer = document.getElementById("live");
let typing; // somebody types in one field at a time
const report = () => document.getElementById("report");

let version = ""; // of what the page was drawn; the server answers 304 while that is the newest
async function swap(address, { push = false, quiet = false } = {}) {
  report().setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html", ...(quiet && version && { "X-Live": version }) } });
    if (answer.status === 304) {
      report().removeAttribute("aria-busy");
      return true;
    }
    version = answer.headers.get("X-Live") ?? "";
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || !page.getElementById("report")) throw new Error("not this page any more");
    replaceLive(page, quiet || address.includes("#"));
    if (push) history.pushState(null, "", answer.url.split("#")[0]); // a form is sent on to the address that says the same
    return true;
  } catch {
    report().removeAttribute("aria-busy");
    if (!quiet) location.assign(address); // signed out, or the server is away: let the browser say so
    return false;
  }
}

// A table that scrolls by itself stays where it is; what is in another order, or of another page, begins at its top.
const regions = () => [...document.querySelectorAll("[data-live] [role=region]")];
const nameOf = (region) => region.getAttribute("aria-labelledby") ?? region.getAttribute("aria-label");

function replaceLive(page, isSame) {
  const places = new Map(regions().map((region) => [nameOf(region), [region.scrollLeft, isSame && region.scrollTop]]));
  const focused = document.activeElement?.id;
  const searched = document.querySelector("[data-filter]")?.value;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) old.replaceWith(document.adoptNode(fresh));
  }
  for (const region of regions()) {
    const [left, top] = places.get(nameOf(region)) ?? [];
    if (left) region.scrollLeft = left;
    if (top) region.scrollTop = top;
  }
  enhance();
  document.dispatchEvent(new Event("renewed"));
  const filter = document.querySelector("[data-filter]");
  if (filter && searched) {
    filter.value = searched;
    applyFilter(filter);
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function applyFilter(input) {
  const wanted = input.value.trim().toLocaleLowerCase();
  let shown = 0;
  for (const body of document.querySelectorAll("#report tbody")) {
    const names = [...body.querySelectorAll("th .name, th .about")].map((cell) => cell.textContent).join(" ");
    body.hidden = !names.toLocaleLowerCase().includes(wanted);
    shown += body.hidden ? 0 : body.rows.length;
  }
  announcer.textContent = `${announcer.dataset.rows} ${shown}`;
}

// What makes no sense without JavaScript is hidden in the page and shown here.
function enhance() {
  for (const element of document.querySelectorAll("[data-filter-box], [data-typing], [data-copy], [data-reveal]")) element.hidden = false;
  const zone = document.querySelector("[data-browser-zone]");
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && here) {
    const address = new URL(zone.href);
    address.searchParams.set("tz", here);
    zone.href = address;
    zone.textContent += `: ${here}`;
    zone.hidden = false;
  }
}

// What is ticked stays, though it may not be among what is found.
async function find(input) {
  const list = input.closest(".panel").querySelector("ul");
  const asked = new URLSearchParams(new FormData(input.form));
  asked.set("q", input.value);
  const answer = await fetch(`${input.dataset.choices}?${asked}`);
  if (!answer.ok || input.value !== asked.get("q")) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("ul");
  if (!fresh) return;
  for (const box of list.querySelectorAll("input:checked")) {
    const same = [...fresh.querySelectorAll("input")].find((one) => one.value === box.value);
    if (same) same.checked = true;
    else fresh.prepend(box.closest("li"));
  }
  list.replaceWith(document.adoptNode(fresh));
}

async function copy(button) {
  await navigator.clipboard?.writeText(button.dataset.copy);
  const use = button.querySelector("use");
  use.setAttribute("href", "#i-ok");
  announcer.textContent = announcer.dataset.copied;
  setTimeout(() => use.setAttribute("href", "#i-copy"), 1500);
}

// A small form of its own page, above the page where its link is.
async function openDialog(link) {
  const answer = await fetch(link.href).catch(() => null);
  const form = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-dialog-body]");
  if (!form) return location.assign(link.href);
  const dialog = document.createElement("dialog");
  dialog.append(document.adoptNode(form));
  dialog.setAttribute("aria-labelledby", form.querySelector("h2").id);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// How long signing in is paused. It is not announced as it ticks: that would be all that one hears.
function countDown(place) {
  const end = Date.now() + 1000 * place.dataset.seconds;
  const timer = setInterval(() => {
    const left = Math.max(Math.ceil((end - Date.now()) / 1000), 0), minutes = Math.floor(left / 60);
    const seconds = minutes ? String(left % 60).padStart(2, "0") : left;
    place.textContent = (minutes ? place.dataset.minutes : place.dataset.short).replace("#", minutes).replace("$", seconds);
    if (left) return;
    clearInterval(timer);
    const button = document.querySelector("[data-when-over]");
    place.parentElement.textContent = button.dataset.whenOver;
    button.disabled = false;
  }, 1000);
}

function reveal(button) {
  const input = document.getElementById(button.dataset.reveal);
  input.type = input.type === "password" ? "text" : "password";
  [button.textContent, button.dataset.hide] = [button.dataset.hide, button.textContent];
}

// What the pattern of a price matches, while it is typed.
function showMatches(input) {
  const place = document.querySelector("[data-matches]"), asked = input.value;
  clearTimeout(typing);
  typing = setTimeout(async () => {
    const answer = await fetch(`${place.dataset.matches}?pattern=${encodeURIComponent(asked)}`).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (input.value === asked) place.replaceChildren(...found.body.childNodes);
  }, 250);
}

function countPicks(form) {
  const button = form.querySelector("[data-many]");
  const picked = form.querySelectorAll("input[name]:checked:not([value=''])").length;
  button.textContent = picked === 1 ? button.dataset.one : button.dataset.many.replace("#", picked);
}

// A column among the others; what is beside it goes around it, since what is moved itself would lose the focus.
function move(column, by) {
  const other = by < 0 ? column.previousElementSibling : column.nextElementSibling;
  if (!other?.matches("[data-column]")) return;
  by < 0 ? column.after(other) : column.before(other);
  const columns = [...column.parentElement.querySelectorAll("[data-column]")];
  announcer.textContent = `${column.textContent.trim()}: ${columns.indexOf(column) + 1} / ${columns.length}`;
}

// What a column means is one line of the list of all that its table has: the buttons of a table open the same list.
function explain(button) {
  const list = document.getElementById(button.getAttribute("popovertarget")), of = button.dataset.about;
  if (list.dataset.shown !== of && list.matches(":popover-open")) list.hidePopover(); // the click opens it again, at its place
  list.dataset.shown = of;
  for (const line of list.querySelectorAll("[data-of]")) line.hidden = of !== "" && line.dataset.of !== of;
}

document.addEventListener("click", (event) => {
  const about = event.target.closest("[data-about]");
  if (about) explain(about);
  const mover = event.target.closest("[data-column] button");
  if (mover) {
    event.preventDefault();
    move(mover.parentElement, mover.name === "up" ? -1 : 1);
  }
  const inside = event.target.closest("details.menu");
  for (const menu of document.querySelectorAll("details.menu[open]")) if (menu !== inside) menu.open = false;
  const link = event.target.closest("a[data-swap], a[data-dialog], dialog a[data-close-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    link.closest("[popover]")?.hidePopover();
    if ("closeDialog" in link.dataset) link.closest("dialog").close();
    else if ("dialog" in link.dataset) openDialog(link);
    else swap(link.href, { push: true });
  }
  const button = event.target.closest("[data-copy], [data-reveal]");
  if (button) button.dataset.copy ? copy(button) : reveal(button);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-filter]")) applyFilter(event.target);
  if (event.target.matches("#id_pattern")) showMatches(event.target);
  const picks = event.target.closest("[data-picks]");
  if (picks) countPicks(picks);
  if (event.target.matches("[data-choices]")) {
    clearTimeout(typing);
    typing = setTimeout(find, 200, event.target);
  }
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details.menu[open]");
  if (event.key === "Escape" && menu) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  const column = event.target.closest?.("[data-column]:has([name=order])"), by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (column && by) {
    event.preventDefault();
    move(column, by);
  }
  const toggle = event.target.closest?.("a.toggle");
  const expanded = { ArrowRight: "false", ArrowLeft: "true" }[event.key];
  if (toggle && expanded === toggle.getAttribute("aria-expanded")) {
    event.preventDefault();
    toggle.click();
  }
  const caps = document.querySelector("[data-caps]");
  if (caps) caps.hidden = !event.getModifierState?.("CapsLock");
});

// Single keys (WCAG 2.1.4: they can be turned off, and are while somebody types): each element says which is its own.
let went = 0; // when g was pressed: the next key goes to a page
function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, select, textarea, [contenteditable]")) return;
  const keys = `${Date.now() - went < 1500 ? "g " : ""}${event.key}`;
  went = keys === "g" ? Date.now() : 0;
  if (keys === "r" && report()) return swap(location.href);
  const its = document.querySelector(`[data-key="${CSS.escape(keys)}"]`);
  if (!its) return;
  event.preventDefault();
  if (keys !== "f" && !its.matches("input")) its.click();
  its.focus();
}
if ("shortcuts" in document.documentElement.dataset) document.addEventListener("keydown", press);

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-swap]")) return;
  event.preventDefault();
  const menu = document.activeElement?.closest("form details") ?? event.submitter?.closest("details");
  menu?.querySelector("summary").focus(); // it closes; Enter in a field names the form's first button
  document.getElementById("filter-sheet")?.hidePopover(); // what had the focus before has it again
  const asked = new URLSearchParams(new FormData(event.target, event.submitter));
  swap(`${location.pathname}?${asked}`, { push: true });
});

// A button that takes a while says so, and is not pressed twice.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button?.dataset.busy || event.defaultPrevented) return;
  setTimeout(() => {
    button.disabled = true;
    button.setAttribute("aria-busy", "true");
    button.textContent = button.dataset.busy;
  });
});

addEventListener("pageshow", (event) => event.persisted && document.querySelector("[data-busy]:disabled") && location.reload());
// The way back may lead to another page, where this one was loaded as what a drawer showed.
const loaded = location.pathname;
addEventListener("popstate", ({ state }) => {
  if (document.querySelector("dialog[open]") || (state?.inDrawer && document.getElementById("drawer"))) return; // drawer.js
  if (location.pathname !== loaded) location.reload();
  else if (report()) swap(location.href);
});

const theme = document.documentElement.dataset.theme; // Django's admin reads its own there
if (theme) localStorage.setItem("theme", theme === "system" ? "auto" : theme);
enhance();
document.querySelector("[data-focus]")?.focus();
document.querySelectorAll("[data-seconds]").forEach(countDown);
document.documentElement.dataset.ready = "1";
