// What pages have beside their HTML where there is JavaScript; without it they lack nothing but this:
// a tick every five seconds while the page is seen (parts with the macro `live` ask for themselves again on it),
// times that go on, the menu shut on phones, secrets that are selected by a click.
"use strict";

(() => {
  const TICK_MS = 5000;
  const narrow = window.matchMedia("(max-width: 860px)");

  const fitMenu = () => {
    const menu = document.querySelector(".side .menu");
    if (menu) menu.open = !narrow.matches;
  };
  fitMenu();
  narrow.addEventListener("change", fitMenu);

  setInterval(() => {
    const typing = document.activeElement && document.activeElement.closest("[data-hx-get] form, [data-hx-get] details[open]");
    if (!document.hidden && !typing) document.body.dispatchEvent(new CustomEvent("tick"));
  }, TICK_MS);

  document.addEventListener("click", (event) => {
    const field = event.target.closest("[data-select]");
    if (field) field.select();
  });

  const wrong = document.getElementById("form-errors");
  if (wrong) wrong.focus();
})();
