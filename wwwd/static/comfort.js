// Comfort alone: every page does all it does without this.
"use strict";
(() => {
  // What was typed and not sent is not lost by a slip.
  let typed = false;
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form && form.method === "post") typed = true;
  });
  document.addEventListener("submit", () => { typed = false; });
  window.addEventListener("beforeunload", (event) => { if (typed) event.preventDefault(); });

  // A form that is sent twice is asked twice.
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post") return;
    if (event.target.dataset.sent) event.preventDefault();
    event.target.dataset.sent = "yes";
    setTimeout(() => { delete event.target.dataset.sent; }, 3000);  // a download leaves the page as it is
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent;
  });

  // After a refusal the first thing to read is what is wrong.
  const alert = document.querySelector(".notice.problem");
  if (alert) {
    alert.tabIndex = -1;
    alert.focus();
  }

  // On a narrow screen the navigation is a strip: where one is should be in sight.
  const here = document.querySelector(".places [aria-current]");
  if (here) here.closest(".places").scrollLeft = here.offsetLeft - 24;

  // A list of boxes can be ticked at once.
  for (const table of document.querySelectorAll("table[data-tick-all]")) {
    const head = table.querySelector("thead th");
    const boxes = () => table.querySelectorAll("tbody input[type=checkbox]");
    if (!head || boxes().length < 2) continue;
    const all = document.createElement("input");
    all.type = "checkbox";
    all.setAttribute("aria-label", table.dataset.tickAll);
    all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; });
    head.append(all);
  }

  // A new password is copied by a button.
  for (const secret of document.querySelectorAll("[data-copy]")) {
    if (!navigator.clipboard) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(secret.textContent);
      button.textContent = "Copied";
    });
    secret.after(" ", button);
  }
})();
