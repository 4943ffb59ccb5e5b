/** The overlay's parameters in the address: `size`, `lines`, `hide`, `font`, `color`, `bg` and `align`. */

const LINES = { name: "lines", least: 1, most: 10 };
const SIZE = { name: "size", least: 8, most: 400 }; // pixels; captions.js applies it
const HIDE = { name: "hide", least: 0, most: 600 };
const FONT = /^[\p{L}\p{N} ,_-]{1,80}$/u;
const HEX = /^[\da-f]{3,8}$/i; // "#" would have to be written as %23
const ALIGN = new Map([
  ["left", ["0", "auto"]],
  ["center", ["auto", "auto"]],
  ["right", ["auto", "0"]],
]);
const DEFAULTS = { lines: 3, hide: 10, size: 52 }; // hide: seconds of silence; 0: never

/**
 * Return the overlay's look: {style, hide, wrong}. `style` has custom properties, and `wrong` names
 * the values that are not used.
 * @param {URLSearchParams} query
 * @param {(color: string) => boolean} isColor
 */
export function look(query, isColor) {
  const wrong = [];
  const style = {};
  const refuse = (name, expected) => {
    wrong.push(`${name}=${query.get(name)} (expected ${expected})`);
    return null;
  };
  const number = ({ name, least, most }) => {
    const given = query.get(name);
    if (given === null) return DEFAULTS[name];
    const value = given.trim() === "" ? NaN : Number(given);
    if (value >= least && value <= most) return value;
    refuse(name, `${least} to ${most}`);
    return DEFAULTS[name];
  };
  const color = (name, property) => {
    const given = query.get(name);
    if (given === null) return;
    const value = HEX.test(given) && isColor(`#${given}`) ? `#${given}` : given;
    if (isColor(value)) style[property] = value;
    else refuse(name, "a CSS color, e.g. white, ffcc00 or rgb(0 0 0 / 60%)");
  };
  style["--lines"] = String(Math.round(number(LINES)));
  const hide = number(HIDE);
  number(SIZE);
  color("color", "--overlay-color");
  color("bg", "--overlay-bg");
  const font = query.get("font");
  if (font !== null && !FONT.test(font)) refuse("font", "names of fonts, e.g. Georgia, serif");
  else if (font !== null) style["--overlay-font"] = font;
  const align = query.get("align") ?? "center";
  if (!ALIGN.has(align)) refuse("align", "left, center or right");
  const [before, after] = ALIGN.get(align) ?? ALIGN.get("center");
  style["--before"] = before;
  style["--after"] = after;
  return { style, hide, wrong };
}
