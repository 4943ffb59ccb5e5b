/** Appearance of the captions, and settings that are kept between visits. */

const SIZES = [16, 20, 24, 28, 34, 42, 52, 64, 80]; // pixels
const [SMALLEST, DEFAULT, LARGEST] = [8, 28, 400];

const root = document.documentElement;

const kept = new Map(); // used if the browser denies access to its storage

/** Return the stored setting of a name; null: there is none. */
export function remembered(name) {
  try {
    return localStorage.getItem(`captions.${name}`);
  } catch {
    return kept.get(name) ?? null;
  }
}

export function remember(name, value) {
  kept.set(name, value);
  try {
    localStorage.setItem(`captions.${name}`, value);
  } catch {
    // It is lost after this visit.
  }
}

/**
 * Let two buttons set the text size.
 * @param {number | null} pixels initial size; null: the stored one.
 */
export function sizes(smaller, larger, pixels) {
  let size = pixels ?? Number(remembered("size") ?? DEFAULT);
  const show = () => root.style.setProperty("--size", `${size}px`);
  const step = (next) => {
    size = next ?? size;
    remember("size", size);
    show();
  };
  size = Math.max(SMALLEST, Math.min(LARGEST, size || DEFAULT));
  smaller.onclick = () => step(SIZES.findLast((s) => s < size));
  larger.onclick = () => step(SIZES.find((s) => s > size));
  show();
}

/** Let a button set high contrast; until it is pressed, the system setting applies. */
export function contrast(button) {
  const system = matchMedia("(prefers-contrast: more)");
  const show = () => {
    root.dataset.contrast = remembered("contrast") ?? (system.matches ? "more" : "normal");
    button.ariaPressed = String(root.dataset.contrast === "more");
  };
  button.onclick = () => {
    remember("contrast", root.dataset.contrast === "more" ? "normal" : "more");
    show();
  };
  system.onchange = show;
  show();
}
