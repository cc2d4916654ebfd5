/** A form's fields as names and values, for links. */

export interface FormField {
  readonly value: string;
  /** Whether it differs from its initial value. */
  readonly isChanged: boolean;
  /** Whether this value could have been chosen or typed. */
  accepts(value: string): boolean;
}

/** A field that is on or off. */
type Choice = HTMLInputElement & { type: "radio" | "checkbox" };
type Control = HTMLInputElement | HTMLSelectElement;

/** The fields by name, each name with `prefix` before it. */
export function formFields(form: HTMLFormElement, prefix: string): Map<string, FormField> {
  return new Map(
    [...groups(form)].map(([name, controls]) => [
      prefix + name,
      {
        value: current(controls),
        isChanged: current(controls) !== initial(controls),
        accepts: (value) => accepts(controls, value),
      },
    ]),
  );
}

/** Sets the given fields of a form, and resets all others. */
export function setFields(
  form: HTMLFormElement,
  prefix: string,
  values: Readonly<Record<string, string>>,
): void {
  for (const [name, controls] of groups(form)) {
    const value = values[prefix + name] ?? initial(controls);
    for (const control of controls) {
      if (isChoice(control)) control.checked = value === (control.type === "radio" ? control.value : "on");
      else control.value = value;
      control.dispatchEvent(new Event("input", { bubbles: true }));
    }
  }
}

function groups(form: HTMLFormElement): Map<string, Control[]> {
  const found = new Map<string, Control[]>();
  for (const element of form.elements)
    if ((element instanceof HTMLInputElement || element instanceof HTMLSelectElement) && element.name !== "")
      found.set(element.name, [...(found.get(element.name) ?? []), element]);
  return found;
}

/** The value of the radio button that is checked, "on" or "off" of a checkbox, or what is in the field. */
function current(controls: readonly Control[], isOn = (control: Choice) => control.checked): string {
  const [first] = controls;
  if (!first || !isChoice(first)) return first?.value ?? "";
  if (first.type === "checkbox") return isOn(first) ? "on" : "off";
  return controls.find((control) => isChoice(control) && isOn(control))?.value ?? "";
}

function initial(controls: readonly Control[]): string {
  const [first] = controls;
  if (first instanceof HTMLSelectElement)
    return ([...first.options].find((option) => option.defaultSelected) ?? first.options[0])?.value ?? "";
  if (first && !isChoice(first)) return first.defaultValue;
  return current(controls, (control) => control.defaultChecked);
}

function accepts(controls: readonly Control[], value: string): boolean {
  const [first] = controls;
  if (first instanceof HTMLSelectElement) return [...first.options].some((option) => option.value === value);
  if (first?.type === "radio") return controls.some((control) => control.value === value);
  if (first?.type === "checkbox") return value === "on" || value === "off";
  if (first?.type !== "number" && first?.type !== "range") return value.length <= 100;
  const number = Number(value);
  const { min, max } = first;
  return (
    value.trim() !== "" &&
    Number.isFinite(number) &&
    (min === "" || number >= Number(min)) &&
    (max === "" || number <= Number(max))
  );
}

function isChoice(control: Control): control is Choice {
  return control instanceof HTMLInputElement && (control.type === "radio" || control.type === "checkbox");
}
