// Comfort only: who reads the newest page of records is told what has come since.
"use strict";
(() => {
const everySoOften = +(document.documentElement.dataset.refresh ?? 30); // 0: the viewer wants no renewal
if (everySoOften) setInterval(async () => {
  const button = document.querySelector("[data-watch]");
  if (!button || document.hidden) return;
  const answer = await fetch(button.dataset.watch).catch(() => null);
  const text = answer?.ok && !answer.redirected ? (await answer.text()).trim() : "";
  if (text) button.textContent = text;
  button.hidden = !button.textContent;
}, 1000 * everySoOften);
})();
