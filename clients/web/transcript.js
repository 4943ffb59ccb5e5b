/** The transcript, as plain text and as subtitles. */

const PARAGRAPH = 2; // seconds of silence between utterances after which a paragraph starts
const LINE = 42; // columns of a subtitle line
const CUE = { columns: 2 * LINE, seconds: 6, gap: 0.8, shortest: 1, lingers: 0.4, least: 0.05 };
const SENTENCE = /[\p{Sentence_Terminal}…]["'\s\p{Pe}\p{Pf}\p{Pi}]*$/u;
const CLAUSE = /[,;:，、；：،؛၊]$/u;
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1b000}-\u{1b16f}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/gu;
const NARROW = /[\p{Mn}\p{Me}\p{Cf}]/gu; // no columns
// Where a line of a script without spaces may begin: before no mark, small kana or closing sign.
const BREAK =
  /(?<![\p{Ps}\p{Pi}\u200dเแโใไເແໂໃໄ])(?![\p{M}\p{Lm}\p{Pe}\p{Pf}\p{Po}\p{Emoji_Modifier}ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮะาำະາຳ\u200d])./gsu;

/**
 * @typedef {object} Span a word, with the spaces before it.
 * @property {string} text
 * @property {number} start in seconds from the beginning.
 * @property {number} end
 * @property {number | null} confidence 0 to 1; null: unknown.
 * @property {boolean} begins whether it starts a paragraph.
 */

export class Transcript {
  /** [Span]: one per word. */
  #spans = [];
  #offset = 0;
  #final = true; // whether the last text was the end of its utterance

  get empty() {
    return this.#spans.length === 0;
  }

  /** End of the last word, in seconds from the beginning. */
  get end() {
    return this.#spans.at(-1)?.end ?? 0;
  }

  /** All words; a copy. */
  get spans() {
    return [...this.#spans];
  }

  clear() {
    this.#spans = [];
    this.#final = true;
  }

  /**
   * Replace all words.
   * @param {Span[]} spans as `spans` returns them.
   * @returns {{text: string, begins: boolean, words: Span[]}[]} the paragraphs to show.
   */
  restore(spans) {
    this.#spans = [...spans];
    this.#final = true;
    const paragraphs = [];
    for (const span of spans) {
      if (span.begins || paragraphs.length === 0) paragraphs.push([]);
      paragraphs.at(-1).push(span);
    }
    return paragraphs.map(paragraph);
  }

  /** Shift the times of messages added from now on by so many seconds. */
  continueAt(seconds) {
    this.#offset = seconds;
    this.#final = true;
  }

  /**
   * Add a committed message.
   * @returns {{text: string, begins: boolean, words: Span[]} | null} the text to show, whether it
   *   starts a paragraph, and its words; null if there is none.
   */
  add(message) {
    const first = this.#spans.length;
    const before = this.#spans.at(-1);
    const start = message.start + this.#offset;
    const begins = !before || (this.#final && start - before.end >= PARAGRAPH);
    this.#final = message.final ?? true;
    if (message.text === "") return null;
    for (const span of spansOf(message)) {
      const [from, to] = [span.start + this.#offset, span.end + this.#offset];
      this.#spans.push({ ...span, start: from, end: to, begins: false });
    }
    this.#spans[first].begins = begins;
    return paragraph(this.#spans.slice(first));
  }

  toText() {
    const texts = this.#spans.map(({ text, begins }) =>
      begins ? `\n\n${text.trimStart()}` : text,
    );
    return texts.join("").trim() + "\n";
  }

  /** Return the text and the words with their times, as JSON. */
  toJson() {
    const words = this.#spans.map(({ text, start, end, confidence }) => ({
      word: text.trim(),
      start: rounded(start),
      end: rounded(end),
      ...(confidence !== null && { confidence: rounded(confidence) }),
    }));
    return `${JSON.stringify({ text: this.toText().trim(), words }, null, 2)}\n`;
  }

  toSrt() {
    const mended = (line) => line.replaceAll(/-+->/gu, "->"); // the arrow separates times
    return this.cues()
      .map((cue, k) => `${k + 1}\n${times(cue, ",")}\n${cue.lines.map(mended).join("\n")}\n`)
      .join("\n");
  }

  toVtt() {
    const escaped = (line) =>
      line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    const cues = this.cues().map(
      (cue) => `\n${times(cue, ".")}\n${cue.lines.map(escaped).join("\n")}\n`,
    );
    return `WEBVTT\n${cues.join("")}`;
  }

  /** Return subtitles of one or two lines: [{start, end, lines}]. They do not overlap. */
  cues() {
    const cues = grouped(this.#spans).map((spans) => ({
      start: spans[0].start,
      end: spans.at(-1).end,
      lines: lines(textOf(spans)),
    }));
    let over = 0; // end of the cue before
    cues.forEach((cue, k) => {
      cue.start = Math.max(cue.start, over);
      const wanted = Math.max(cue.end + CUE.lingers, cue.start + CUE.shortest);
      const next = Math.max(cues[k + 1]?.start ?? wanted, cue.start + CUE.least);
      cue.end = over = Math.min(wanted, next);
    });
    return cues;
  }
}

/** Return the words of a message as parts of its text; one part if it has no words. */
function spansOf({ text, start, end, words = [] }) {
  const spans = [];
  let from = 0;
  for (const word of words) {
    const at = text.indexOf(word.word, from);
    if (at < 0) continue;
    const to = at + word.word.length;
    const { confidence = null } = word;
    spans.push({ text: text.slice(from, to), start: word.start, end: word.end, confidence });
    from = to;
  }
  if (spans.length === 0) return [{ text, start, end, confidence: null }];
  spans.at(-1).text += text.slice(from);
  return spans;
}

/** Return spans as a text to show: the first one has no space before it if it begins a paragraph. */
function paragraph(spans) {
  const [{ begins, ...first }, ...others] = spans;
  const words = begins ? [{ ...first, text: first.text.trimStart() }, ...others] : spans;
  return { text: words.map(({ text }) => text).join(""), begins, words };
}

const rounded = (number) => Math.round(number * 1000) / 1000;
const textOf = (spans) => spans.map(({ text }) => text).join("").trim();
const count = (text, pattern) => text.match(pattern)?.length ?? 0;
const columns = (text) => [...text].length + count(text, WIDE) - count(text, NARROW);

/** Group spans into subtitles, which end at a pause, a sentence, or when they are full. */
function grouped(spans) {
  const groups = [];
  let group = [];
  for (const span of spans) {
    while (group.length > 0 && ends(group, span)) {
      const cut = full(group, span) ? clause(group) : group.length;
      groups.push(group.slice(0, cut));
      group = group.slice(cut);
    }
    group.push(span);
  }
  return group.length > 0 ? [...groups, group] : groups;
}

function ends(group, next) {
  const last = group.at(-1);
  const text = textOf(group);
  const sentence = SENTENCE.test(text) && columns(text) >= LINE / 2;
  return sentence || next.begins || next.start - last.end > CUE.gap || full(group, next);
}

function full(group, next) {
  return (
    columns(textOf([...group, next])) > CUE.columns || next.end - group[0].start > CUE.seconds
  );
}

/** Return where to cut a full group: after its last clause, if that is in the second half. */
function clause(group) {
  const at = group.findLastIndex(({ text }) => CLAUSE.test(text)) + 1;
  return at >= group.length / 2 ? at : group.length;
}

/** Split a text into one line, or two of similar length. */
function lines(text) {
  if (columns(text) <= LINE) return [text];
  const spaces = [...text.matchAll(/\s+/gu)].map(({ index }) => index);
  const breaks = [...text.matchAll(BREAK)].map(({ index }) => index).filter((at) => at > 0);
  const places = spaces.length > 0 ? spaces : breaks;
  const longer = (at) => Math.max(columns(text.slice(0, at)), columns(text.slice(at).trim()));
  const best = places.reduce((a, b) => (longer(b) < longer(a) ? b : a), places[0]);
  return best ? [text.slice(0, best), text.slice(best).trim()] : [text];
}

function times({ start, end }, point) {
  return `${clock(start, point)} --> ${clock(end, point)}`;
}

function clock(seconds, point) {
  const all = Math.round(seconds * 1000);
  const [h, m, s] = [all / 3_600_000, (all / 60_000) % 60, (all / 1000) % 60];
  const [hours, minutes, whole] = [h, m, s].map((n) => String(Math.floor(n)).padStart(2, "0"));
  return `${hours}:${minutes}:${whole}${point}${String(all % 1000).padStart(3, "0")}`;
}
