/**
 * A note about the model that is kept for the next visit. The library saves the model; the note is in localStorage,
 * so reading it fetches and starts nothing.
 */

const KEY = "makemore-web demo";
/** UTF-16 units of the longest list that is kept beside a model. */
const LONGEST_WORDS = 200_000;

/** The name that the model is saved by. */
export const KEPT = "demo";

export interface Note {
  /** What the page calls its list: "Italian towns". */
  readonly label: string;
  /** Id of the page's list; absent for the visitor's own words. */
  readonly list?: string;
  /** The visitor's own words, unless the list is too long. */
  readonly words?: string;
  /** When it was kept, milliseconds since 1970. */
  readonly time: number;
}

/** Notes what was saved. */
export function writeNote(note: Note): void {
  const { words = "" } = note;
  const { words: _, ...short } = note;
  localStorage.setItem(KEY, JSON.stringify(words.length > LONGEST_WORDS ? short : note));
}

/** Reads the note; undefined if there is none, or if this page did not write it. */
export function readNote(): Note | undefined {
  try {
    const note: unknown = JSON.parse(localStorage.getItem(KEY) ?? "null");
    return isNote(note) ? note : undefined;
  } catch {
    // The browser stores nothing for this page, or the note is not ours.
    return undefined;
  }
}

export function removeNote(): void {
  localStorage.removeItem(KEY);
}

function isNote(note: unknown): note is Note {
  if (typeof note !== "object" || note === null || !("label" in note) || !("time" in note)) return false;
  const isText = (key: "list" | "words") => !(key in note) || typeof Reflect.get(note, key) === "string";
  return typeof note.label === "string" && typeof note.time === "number" && isText("list") && isText("words");
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const DAY = 86_400_000;

/** "today", "yesterday", "3 days ago". */
export function dayOf(time: number, now: number): string {
  const day = (at: number) => Math.floor((at - new Date(at).getTimezoneOffset() * 60_000) / DAY);
  return relative.format(Math.min(0, day(time) - day(now)), "day");
}
