/** Where text that is heard a second time goes beyond what was told before. */

/**
 * How many of the words `again` are those that were `told`, heard a second time: the number for
 * which the fewest words have to be changed, added or left out (Levenshtein); where several are as
 * good, the one whose last word ends where the told ones end.
 */
export function overlap(told, again) {
  if (told.length === 0) return 0;
  const other = again.map(plain);
  let costs = Array.from({ length: again.length + 1 }, (_, k) => k);
  told.map(plain).forEach((word, index) => {
    const row = [index + 1];
    for (let k = 1; k < costs.length; k += 1) {
      const changed = costs[k - 1] + (word === other[k - 1] ? 0 : 1);
      row.push(Math.min(changed, costs[k] + 1, row[k - 1] + 1));
    }
    costs = row;
  });
  const end = told.at(-1).end;
  const ends = [told[0].start, ...again.map((word) => word.end)];
  const badness = costs.map((cost, k) => cost + Math.min(1, Math.abs(ends[k] - end)));
  return badness.indexOf(Math.min(...badness));
}

/** The committed event without its first `count` words, of which it has as many. */
export function afterWords(event, count) {
  if (count === 0) return event;
  const words = event.words.slice(count);
  // What is left of the text then clings to words that are gone.
  if (words.length === 0) return { ...event, text: "", words, start: event.end };
  let at = 0;
  for (const { word } of event.words.slice(0, count)) {
    at = event.text.indexOf(word, at) + word.length;
  }
  return { ...event, text: event.text.slice(at), words, start: words[0].start };
}

function plain({ word }) {
  // Up and down again comes near to case folding: ß is ss.
  const folded = word.normalize("NFKC").toUpperCase().toLowerCase();
  return folded.replace(/[\p{P}\p{Z}]/gu, "");
}
