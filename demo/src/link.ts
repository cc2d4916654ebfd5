/** A link to the page with a list and options: what is in its hash. */

/** Characters of the longest list that goes into a link; some programs cut longer links. */
const LONGEST_WORDS = 4000;

export interface Link {
  /** Id of a list of the page. */
  readonly list?: string;
  /** Somebody's own words, one a line. */
  readonly words?: string;
  /** The fields that are not as the page has them at first, by name. */
  readonly fields: Readonly<Record<string, string>>;
}

/** The hash, with its `#`; empty if everything is as the page has it at first. */
export function hashOf({ list, words, fields }: Link): string {
  const parameters = new URLSearchParams(fields);
  if (list) parameters.set("list", list);
  if (words) parameters.set("words", words);
  const text = String(parameters);
  return text && `#${text}`;
}

/** Reads a hash. A field may come once, and a link has a list or words, not both. */
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
