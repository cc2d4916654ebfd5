/** The hash of a link that shares a list and options. */

/** Characters of the longest list that goes into a link; some programs cut longer links. */
const LONGEST_WORDS = 4000;

export interface Link {
  /** Id of a list of the page. */
  readonly list?: string;
  /** The visitor's own words, one per line. */
  readonly words?: string;
  /** The fields that were changed, by name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The hash, with its `#`; empty if nothing was changed. */
export function hashOf({ list, words, fields }: Link): string {
  const parameters = new URLSearchParams(fields);
  if (list) parameters.set("list", list);
  if (words) parameters.set("words", words);
  const text = String(parameters);
  return text && `#${text}`;
}

/** Reads a hash. Each field may come once. A link has a list or words, not both. */
export function linkOf(hash: string): Link | { problem: string } {
  const entries = [...new URLSearchParams(hash.replace(/^#/, ""))];
  const fields = new Map(entries);
  if (fields.size < entries.length) return { problem: "it has an option twice" };
  const [list, words] = [fields.get("list"), fields.get("words")];
  if (list !== undefined && words !== undefined) return { problem: "it has two lists" };
  fields.delete("list");
  fields.delete("words");
  return {
    ...(list === undefined ? {} : { list }),
    ...(words === undefined ? {} : { words }),
    fields: Object.fromEntries(fields),
  };
}

/** Whether so many words fit into a link. */
export function fitsLink(words: string): boolean {
  return encodeURIComponent(words).length <= LONGEST_WORDS;
}
