/**
 * The Share dialog: the name of the room in which others can read along, its link and QR code; and
 * the line in the header while captions are shared.
 */
import { $, query, root, served } from "./page.js";
import { t } from "./texts.js";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const LOOPBACK = /^(localhost|.+\.localhost|127\.[\d.]+|\[::1\])$/;
const TYPING = 300; // milliseconds after the last key until the QR code is drawn
const COPIED = 2000; // milliseconds for which the button says so

let readers = 0;
let locked = false; // whether a session runs
let drawing = 0; // timer

/** Return the name as typed, with spaces replaced by dashes. */
export const corrected = (name) => name.trimStart().replace(/\s+/g, "-");

/** The name of the shared room; "" if the captions are not shared. */
export function room() {
  return $("room").value.trim();
}

/** Return why the room's name is not allowed; null: it is, or there is none. */
export function roomFault() {
  const name = room();
  return name === "" || NAME.test(name) ? null : t("room_invalid", { name });
}

/** Lock or unlock the name: it cannot change while a session runs. */
export function lock(whether) {
  locked = whether;
  readers = 0;
  $("room").disabled = locked;
  show();
}

/** Show how many read along, as the stream of the session reports it. */
export function follow(stream) {
  stream.addEventListener("status", ({ detail: { viewers } }) => {
    if (readers === viewers || typeof viewers !== "number") return;
    readers = viewers;
    showHeader();
  });
}

/** Connect the dialog. */
export function connect() {
  $("room").value = corrected(query.get("publish") ?? "");
  $("room").oninput = () => {
    const name = corrected($("room").value);
    if (name !== $("room").value) $("room").value = name;
    show();
  };
  $("share-button").onclick = () => $("share").showModal();
  $("share-copy").onclick = () => copy($("share-copy"));
  $("sharing-copy").onclick = () => copy($("sharing-copy"));
  $("share-qr").onerror = () => ($("share-code").hidden = true); // e.g. behind a proxy that renames
  $("share-qr").onload = () => ($("share-code").hidden = false);
  document.addEventListener("language", show);
  show();
}

/** Return the address of the room for readers. */
function link() {
  // A browser on the server's own machine may use a name that no other device knows.
  const local = LOOPBACK.test(location.hostname);
  const base = (local && served.address) || new URL(".", location.href).href;
  return new URL(`watch/${room()}`, base).href;
}

async function copy(button) {
  await navigator.clipboard.writeText(link());
  button.textContent = t("link_copied");
  setTimeout(() => (button.textContent = t("copy_link")), COPIED);
}

function show() {
  const fault = roomFault();
  const named = fault === null && room() !== "";
  $("room").ariaInvalid = String(fault !== null);
  $("room-text").textContent = fault ?? advice(named);
  $("share-link").hidden = !named;
  $("share-copy").textContent = $("sharing-copy").textContent = t("copy_link");
  $("share-scan").textContent = t("share_scan");
  $("share-obs").textContent = t("share_obs");
  $("share-warning").textContent = t("share_only_here");
  if (named) showLink(link());
  else {
    $("share-code").hidden = true;
    $("overlay").href = "?overlay=1"; // listens itself
  }
  showHeader();
}

function advice(named) {
  if (locked && !named) return t("share_stop_first");
  return named && !locked ? t("share_starts") : t("room_text");
}

function showLink(href) {
  Object.assign($("share-address"), { href, textContent: href });
  $("overlay").href = `${href}?overlay=1`;
  $("share-warning").hidden = !LOOPBACK.test(new URL(href).hostname);
  clearTimeout(drawing);
  drawing = setTimeout(() => {
    const src = `qr.svg?url=${encodeURIComponent(href)}`;
    if ($("share-qr").getAttribute("src") === src) $("share-code").hidden = false;
    else $("share-qr").src = src;
    $("share-qr").alt = t("share_qr", { link: href });
  }, TYPING);
}

function showHeader() {
  const shared = locked && room() !== "";
  $("sharing").hidden = !shared;
  root.toggleAttribute("data-shared", shared);
  if (!shared) return;
  $("sharing-name").textContent = t("shared_as", { room: room() });
  $("sharing-readers").textContent =
    readers === 1 ? t("readers_one") : t("readers", { count: readers });
}
