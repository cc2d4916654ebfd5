/** The few words that the panels say to the document, with the checks that types cannot make. */
import { MakemoreError } from "makemore-web";

/** The element with this id, which must be of this class. */
export function find<T extends Element>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`The page has no ${type.name} #${id}.`);
  return element;
}

/** A new HTML element with a class and text or children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: (string | Node)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A new SVG element with attributes and children. */
export function draw<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | number>,
  ...children: (string | Node)[]
): SVGElementTagNameMap[K] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/** A form's field by name; for a group of radio buttons, the one that is checked. */
export function field(form: HTMLFormElement, name: string): HTMLInputElement | HTMLSelectElement {
  for (const element of form.elements) {
    if (element instanceof HTMLInputElement && element.name === name) {
      if (element.type !== "radio" || element.checked) return element;
    } else if (element instanceof HTMLSelectElement && element.name === name) return element;
  }
  throw new Error(`The form has no field "${name}".`);
}

/** A field's number; undefined where it is empty, NaN where it is not a number. */
export function numberOf(form: HTMLFormElement, name: string): number | undefined {
  const { value, validity } = field(form, name);
  if (validity.badInput) return Number.NaN;
  return value.trim() === "" ? undefined : Number(value);
}

/** What to tell a person about a failure. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The code of a failure of the library. */
export function codeOf(error: unknown): MakemoreError["code"] | undefined {
  return error instanceof MakemoreError ? error.code : undefined;
}

/** Marks the fields of a form that a message names, and unmarks the others. */
export function markFields(form: HTMLFormElement, message: string): void {
  for (const element of form.elements) {
    if (!(element instanceof HTMLInputElement || element instanceof HTMLSelectElement)) continue;
    const named = element.name !== "" && new RegExp(`\\b${element.name}\\b`).test(message);
    if (named) element.setAttribute("aria-invalid", "true");
    else element.removeAttribute("aria-invalid");
  }
}

/** Calls `run` once, `milliseconds` after the last call. */
export function debounce(milliseconds: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, milliseconds);
  };
}
