/**
 * What one server session after another says, told as if it were a single one.
 *
 * A server that was killed has forgotten the session. Another one hears the audio again from the
 * last final commit on. Its clock and its utterances begin at 0, and it says once more what had
 * been committed of the utterance that was cut off: here that is shifted, and left out. The same
 * as streamwhisper/client/continuity.py, against which the tests hold it.
 */
import { afterWords, overlap } from "./overlap.js";

const BEYOND = 0.5; // seconds past the end of what was told, from which more is surely new
const SAME = 0.1; // seconds by which the bounds of the same speech may differ
const OPENING = 3; // seconds after its start, at the most, that speech is announced
const ROUNDING = 0.002; // seconds; times on the wire have three decimals
const WITHOUT_SPACES = new Set(["zh", "ja", "th", "lo", "my", "yue", "km", "bo"]);

/** Tells events on one clock; times are seconds since the client began. */
export class Continuity {
  /** All sound before this is dealt with and told of. */
  settled = 0;
  #offset = 0; // where the present session began
  #again = false; // whether there was one before it
  #firstUtterance = 0; // of the present session
  #nextUtterance = 0;
  #text = false; // whether there is any
  #sessionText = false; // whether the present session has committed any
  #told = []; // words committed, but not in a final event yet
  #held = null; // events, until it is known what of them was told before
  #speaking = false; // as it was told
  #bound = 0; // the last start or end of speech that was told
  #open = false; // whether the session hears speech
  #ended = []; // [start, end] of speech that is not settled
  #started = 0;
  #speechBefore = 0; // seconds of it, in sessions before this one
  #speechSettled = 0;

  /** From now on a new session is heard, which began at this second: at what is settled. */
  beginAgain(at) {
    this.#again = true;
    this.#offset = at;
    this.#firstUtterance = this.#nextUtterance;
    this.#sessionText = false;
    this.#held = this.#told.length > 0 ? [] : null;
    this.#open = false;
    this.#ended = [];
    this.#speechBefore = this.#speechSettled;
  }

  /** What is to be told because of an event of the present session; perhaps nothing. */
  hear(event) {
    event = this.#shifted(event);
    if (this.#held === null) return this.#tell(event);
    // A partial goes with the text that is held back.
    if (event.type !== "partial") this.#held.push(event);
    if (!this.#known(event)) return [];
    const held = this.#held;
    this.#held = null;
    const words = held.flatMap((e) => (e.type === "committed" ? e.words : []));
    let repeated = overlap(this.#told, words);
    return held.flatMap((other) => {
      if (other.type === "committed") {
        const count = Math.min(repeated, other.words.length);
        repeated -= count;
        other = afterWords(other, count);
      }
      return this.#tell(other);
    });
  }

  /**
   * The session has heard sound up to a second, and is so many seconds behind. Where nobody
   * speaks, that is settled, but for the time that it takes to notice speech.
   */
  rest(heard, lag) {
    const waiting = this.#open || this.#held !== null;
    if (!waiting && this.#ended.every(([, end]) => end <= this.settled + ROUNDING)) {
      this.#settle(this.#offset + heard - lag - OPENING);
    }
  }

  /** Whether all that was told has been heard again by now. */
  #known(event) {
    const { end } = this.#told.at(-1);
    if (event.type !== "committed") return event.type === "flushed" || event.type === "done";
    const beyond = event.words.length > 0 && event.words.at(-1).end >= end + BEYOND;
    return beyond || (event.heard !== null && event.heard >= end);
  }

  #tell(event) {
    if (event.type === "speech_started" || event.type === "speech_ended") {
      return this.#newBound(event) ? [event] : [];
    }
    // Where speech was cut off, it is not dealt with.
    if (event.type === "done" && this.#ended.length === 0) this.#settle(event.audio_seconds);
    return event.type === "committed" ? this.#tellCommitted(event) : [event];
  }

  #tellCommitted(event) {
    this.#text ||= event.text !== "";
    this.#told.push(...event.words);
    if (event.final) {
      const heard = event.heard ?? Infinity;
      // Speech that was cut off has words after what is dealt with: they will come again.
      this.#told = this.#told.filter(({ end }) => end > heard + ROUNDING);
      this.#nextUtterance = event.utterance + 1;
      if (event.heard !== null) this.#settle(event.heard);
    }
    return event.text !== "" || event.final ? [event] : [];
  }

  /** Whether this start or end of speech has not been told before. */
  #newBound(event) {
    const starts = event.type === "speech_started";
    const known = this.#again && (event.at <= this.#bound + SAME || starts === this.#speaking);
    if (!known) [this.#speaking, this.#bound] = [starts, event.at];
    return !known;
  }

  #settle(at) {
    this.settled = Math.max(this.settled, at);
    const open = this.#ended.findIndex(([, end]) => end > this.settled + ROUNDING);
    const done = this.#ended.splice(0, open < 0 ? this.#ended.length : open);
    this.#speechSettled += done.reduce((sum, [start, end]) => sum + end - start, 0);
  }

  /** The event on the clock of all sessions. */
  #shifted(event) {
    const at = this.#offset;
    switch (event.type) {
      case "speech_started":
        [this.#open, this.#started] = [true, event.at + at];
        return { ...event, at: event.at + at };
      case "speech_ended":
        this.#open = false;
        this.#ended.push([this.#started, event.at + at]);
        return { ...event, at: event.at + at, decided: event.decided + at };
      case "done":
        return {
          ...event,
          audio_seconds: event.audio_seconds + at,
          speech_seconds: event.speech_seconds + this.#speechBefore,
        };
      case "partial":
      case "committed":
        return this.#shiftedText(event, at);
      default:
        return event;
    }
  }

  #shiftedText(event, at) {
    const first = this.#again && this.#text && !this.#sessionText;
    const words = event.words.map((w) => ({ ...w, start: w.start + at, end: w.end + at }));
    const text = event.text !== "" && first ? joined(event) : event.text;
    event = { ...event, text, words, start: event.start + at, end: event.end + at };
    if (event.type === "partial") return event;
    this.#sessionText ||= text !== "";
    return {
      ...event,
      utterance: event.utterance + this.#firstUtterance,
      heard: event.heard === null ? null : event.heard + at,
    };
  }
}

/** The first text of a session, which begins without a space, as it continues another's. */
function joined({ text, language }) {
  // A translation is in Latin letters, whatever is spoken.
  const unspaced = WITHOUT_SPACES.has(language) && !/^[\x00-\x7f]/u.test(text);
  return /^\s/u.test(text) || unspaced ? text : ` ${text}`;
}
