/** The lists of words that the page has; each is fetched when it is chosen. Their sources: demo/words. */
import plants from "../../bench/words/plants.txt?url";
import creatures from "../words/creatures.txt?url";
import dinosaurs from "../words/dinosaurs.txt?url";
import elements from "../words/elements.txt?url";
import names from "../words/names.txt?url";
import hungary from "../words/towns-hungary.txt?url";
import india from "../words/towns-india.txt?url";
import italy from "../words/towns-italy.txt?url";
import poland from "../words/towns-poland.txt?url";

export interface BuiltInList {
  /** In links, and the name of its model's file. */
  readonly id: string;
  /** On its button. */
  readonly label: string;
  readonly url: string;
}

/** The first one is there when the page opens. */
export const LISTS = [
  { id: "names", label: "Baby names", url: names },
  { id: "towns-italy", label: "Italian towns", url: italy },
  { id: "dinosaurs", label: "Dinosaurs", url: dinosaurs },
  { id: "creatures", label: "Creatures", url: creatures },
  { id: "plants", label: "Plants", url: plants },
  { id: "towns-poland", label: "Polish towns", url: poland },
  { id: "towns-hungary", label: "Hungarian towns", url: hungary },
  { id: "towns-india", label: "Indian towns", url: india },
  { id: "elements", label: "Elements", url: elements },
] as const satisfies readonly [BuiltInList, ...BuiltInList[]];

/** The list with this id. */
export function listOf(id: string | undefined): BuiltInList | undefined {
  return LISTS.find((list) => list.id === id);
}
