/** Menus of the dock: a click outside or Escape closes them. */

/** Let all menus (details elements of class "menu") close. */
export function closeMenus() {
  const open = () => document.querySelector("details.menu[open]");
  addEventListener("keydown", ({ key }) => {
    const menu = open();
    if (key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  addEventListener("click", ({ target }) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      if (!menu.contains(target)) menu.open = false;
    }
  });
}
