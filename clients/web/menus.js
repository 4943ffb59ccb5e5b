/** Menus of the dock: a click outside or Escape closes them. */

import { $ } from "./page.js";

/** Let all menus (details elements of class "menu") close. */
export function closeMenus() {
  const open = () => document.querySelector("details.menu[open]");
  addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    if (settings.ariaExpanded === "true") {
      settings.ariaExpanded = "false";
      settings.focus();
    }
    const menu = open();
    if (!menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  const settings = $("settings-button");
  settings.onclick = () => (settings.ariaExpanded = String(settings.ariaExpanded !== "true"));
  addEventListener("click", ({ target }) => {
    if (!target.closest("#settings, #settings-button")) settings.ariaExpanded = "false";
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  });
}
