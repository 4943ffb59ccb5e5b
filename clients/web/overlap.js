/** Overlap of committed words with a second transcription of the same audio. */

/**
 * Return how many of the words `again` repeat the words `before`: the number with the smallest edit
 * distance (Levenshtein); if several are equal, the one whose last word ends closest to the end of
 * `before`.
 */
export function overlap(before, again) {
  if (before.length === 0) return 0;
  const other = again.map(plain);
  let costs = Array.from({ length: again.length + 1 }, (_, k) => k);
  before.map(plain).forEach((word, index) => {
    const row = [index + 1];
    for (let k = 1; k < costs.length; k += 1) {
      const changed = costs[k - 1] + (word === other[k - 1] ? 0 : 1);
      row.push(Math.min(changed, costs[k] + 1, row[k - 1] + 1));
    }
    costs = row;
  });
  const end = before.at(-1).end;
  const ends = [before[0].start, ...again.map((word) => word.end)];
  const badness = costs.map((cost, k) => cost + Math.min(1, Math.abs(ends[k] - end)));
  return badness.indexOf(Math.min(...badness));
}

/** Return a committed event without its first `count` words. */
export function afterWords(event, count) {
  if (count === 0) return event;
  const words = event.words.slice(count);
  // The rest of the text, e.g. punctuation, belongs to the removed words.
  if (words.length === 0) return { ...event, text: "", words, start: event.end };
  let at = 0;
  for (const { word } of event.words.slice(0, count)) {
    at = event.text.indexOf(word, at) + word.length;
  }
  return { ...event, text: event.text.slice(at), words, start: words[0].start };
}

function plain({ word }) {
  // Upper then lower case approximates case folding: ß becomes ss.
  const folded = word.normalize("NFKC").toUpperCase().toLowerCase();
  return folded.replace(/[\p{P}\p{Z}]/gu, "");
}
