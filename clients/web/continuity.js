/**
 * Merges the events of consecutive server sessions into one transcript.
 *
 * A server that was killed has lost the session. Another server receives the audio again from the
 * last final commit on. Its clock and its utterance numbers start at 0, and it repeats what was
 * committed of the interrupted utterance: here events are shifted, and repeated words removed. Port
 * of streamwhisper/client/continuity.py; tests compare the two.
 */
import { afterWords, overlap } from "./overlap.js";

const BEYOND = 0.5; // seconds after the last reported word from which a word is certainly new
const SAME = 0.1; // seconds by which bounds of one speech segment may differ
const OPENING = 3; // maximum seconds between the start of speech and its event
const ROUNDING = 0.002; // seconds; times on the wire have three decimals
const WITHOUT_SPACES = new Set(["zh", "ja", "th", "lo", "my", "yue", "km", "bo"]);

/** Reports events on one clock; times are seconds since the client started. */
export class Continuity {
  /** Position in seconds before which everything is final and reported. */
  settled = 0;
  #offset = 0; // start of the current session
  #again = false; // whether there was an earlier session
  #firstUtterance = 0; // of the current session
  #nextUtterance = 0;
  #text = false; // whether any text was committed
  #sessionText = false; // whether the current session has committed text
  #told = []; // committed words that are not covered by a final event yet
  #held = null; // events held back until it is known which of their words are repeated
  #speaking = false; // as last reported
  #bound = 0; // the last reported start or end of speech
  #open = false; // whether speech is going on in the session
  #ended = []; // [start, end] of speech that is not final
  #started = 0;
  #speechBefore = 0; // seconds of speech in earlier sessions
  #speechSettled = 0;

  /** Start a new session at this second, i.e. at `settled`. */
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

  /** Return the events to report for an event of the current session. */
  hear(event) {
    event = this.#shifted(event);
    if (this.#held === null) return this.#tell(event);
    // Partial text is dropped while text is held back.
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
   * Record how much audio the session has received, and how far it lags, in seconds. Silence is
   * final, except for the time that it takes to detect speech.
   */
  rest(heard, lag) {
    const waiting = this.#open || this.#held !== null;
    if (!waiting && this.#ended.every(([, end]) => end <= this.settled + ROUNDING)) {
      this.#settle(this.#offset + heard - lag - OPENING);
    }
  }

  /** Whether the session has reached the end of the reported text. */
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
    // Interrupted speech is not final.
    if (event.type === "done" && this.#ended.length === 0) this.#settle(event.audio_seconds);
    return event.type === "committed" ? this.#tellCommitted(event) : [event];
  }

  #tellCommitted(event) {
    this.#text ||= event.text !== "";
    this.#told.push(...event.words);
    if (event.final) {
      const heard = event.heard ?? Infinity;
      // Words after the final position belong to interrupted speech, and will be repeated.
      this.#told = this.#told.filter(({ end }) => end > heard + ROUNDING);
      this.#nextUtterance = event.utterance + 1;
      if (event.heard !== null) this.#settle(event.heard);
    }
    return event.text !== "" || event.final ? [event] : [];
  }

  /** Whether this start or end of speech was not reported before. */
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

  /** Return the event on the common clock. */
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

/** Return the first text of a session with the space that joins it to the text before. */
function joined({ text, language }) {
  // A translation is in Latin letters, whatever the spoken language.
  const unspaced = WITHOUT_SPACES.has(language) && !/^[\x00-\x7f]/u.test(text);
  return /^\s/u.test(text) || unspaced ? text : ` ${text}`;
}
