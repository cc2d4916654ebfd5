/** DOM helpers, with the checks that types cannot make. */
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

/**
 * Enables a button, or greys it out. It is never `disabled`: that would drop the focus, and swallow a press that
 * came a moment late.
 */
export function offer(button: HTMLButtonElement, offered: boolean): void {
  if (offered) button.removeAttribute("aria-disabled");
  else button.setAttribute("aria-disabled", "true");
}

/** Whether a button can be pressed. */
export function isOffered(button: HTMLButtonElement): boolean {
  return button.getAttribute("aria-disabled") !== "true";
}

/** Blocks presses on greyed-out buttons of the page. */
export function ignoreUnofferedPresses(): void {
  document.addEventListener(
    "click",
    (event) => {
      const button = event.target instanceof Element ? event.target.closest("button") : null;
      if (!button || isOffered(button)) return;
      event.preventDefault();
      event.stopImmediatePropagation();
    },
    { capture: true },
  );
}

/** Saves a file, as a link that downloads it does. */
export function save(file: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
  // A download that has begun keeps the file alive.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Scrolls a message into sight, as far as that is needed. */
export function reveal(element: Element): void {
  element.scrollIntoView({ block: "nearest" });
}

/** A word inside other text, which may have the other direction. */
export function isolate(word: string, className = ""): HTMLElement {
  return make("bdi", className, word);
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

/** The number of a required field. An empty one is NaN: the library's error then names the option. */
export function requiredNumber(form: HTMLFormElement, name: string): number {
  return numberOf(form, name) ?? Number.NaN;
}

/** What to tell a person about a failure. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A message for a visitor, who knows no calls: "train: seed is 1.5" is "Seed is 1.5". */
export function withoutCall(message: string): string {
  return message.replace(/^\w+: (\w)/, (_, first: string) => first.toUpperCase());
}

/** The code of a failure of the library. */
export function codeOf(error: unknown): MakemoreError["code"] | undefined {
  return error instanceof MakemoreError ? error.code : undefined;
}

/**
 * Marks the field of the option that a message is about, and unmarks the others. The library's
 * messages begin with the call and the option's path: "train: learningRate.warmup is -1; …".
 */
export function markFields(form: HTMLFormElement, message: string): void {
  const path = /^\w+: ([\w.]+) is /.exec(message)?.[1]?.split(".") ?? [];
  const fields = [...form.elements].filter(
    (element) => element instanceof HTMLSelectElement || isTypedInto(element),
  );
  // Not every option has a field of its own: "learningRate.peak" is in the one called learningRate.
  const name = path.reverse().find((part) => fields.some((element) => element.name === part));
  for (const element of fields) {
    if (element.name === name) element.setAttribute("aria-invalid", "true");
    else element.removeAttribute("aria-invalid");
  }
}

/** A radio button or a checkbox is never wrong by itself. */
function isTypedInto(element: Element): element is HTMLInputElement {
  return element instanceof HTMLInputElement && !["radio", "checkbox"].includes(element.type);
}

/** Calls `run` once, `milliseconds` after the last call. */
export function debounce(milliseconds: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, milliseconds);
  };
}
