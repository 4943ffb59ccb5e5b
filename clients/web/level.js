/** The loudness of the audio: a ring around the button, and bars in the dock. */
import { $, root } from "./page.js";

const DECIBELS = 60; // range of the meter
const BAR = 6; // pixels of the canvas from one bar to the next
const WIDTH = 3;

export class Level {
  #canvas = $("level").querySelector("canvas");
  #heights = new Array(Math.floor(this.#canvas.width / BAR)).fill(0);

  /** Show the peak of a chunk of audio, 0 to 1. */
  show(peak) {
    const loudness = peak > 0 ? Math.max(0, 1 + (20 * Math.log10(peak)) / DECIBELS) : 0;
    root.style.setProperty("--loudness", loudness.toFixed(3));
    $("level").ariaValueNow = String(Math.round(100 * loudness));
    this.#heights.push(loudness);
    this.#heights.shift();
    this.#draw();
  }

  /** Show silence. */
  clear() {
    this.#heights.fill(0);
    this.show(0);
  }

  #draw() {
    const { width, height } = this.#canvas;
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    context.fillStyle = getComputedStyle(this.#canvas).color;
    this.#heights.forEach((loudness, k) => {
      const tall = Math.max(WIDTH, loudness * height);
      context.fillRect(k * BAR, (height - tall) / 2, WIDTH, tall);
    });
  }
}
