/** How the captions look, and what is remembered from one visit to the next. */

const SIZES = [16, 20, 24, 28, 34, 42, 52, 64, 80]; // pixels
const [SMALLEST, USUAL, LARGEST] = [8, 28, 400];

const root = document.documentElement;

const kept = new Map(); // for this visit alone: a browser may refuse to keep anything

/** What was remembered under a name; null: nothing. */
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
    // It is forgotten after this visit.
  }
}

/**
 * Have the text's size set by two buttons.
 * @param {number | null} pixels to begin with; null: as remembered.
 */
export function sizes(smaller, larger, pixels) {
  let size = pixels ?? Number(remembered("size") ?? USUAL);
  const show = () => root.style.setProperty("--size", `${size}px`);
  const step = (next) => {
    size = next ?? size;
    remember("size", size);
    show();
  };
  size = Math.max(SMALLEST, Math.min(LARGEST, size || USUAL));
  smaller.onclick = () => step(SIZES.findLast((s) => s < size));
  larger.onclick = () => step(SIZES.find((s) => s > size));
  show();
}

/** Have high contrast set by a button; until it is pressed, by the system. */
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
