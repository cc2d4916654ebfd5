/** The page's lists of words; each is fetched when it is chosen. Their sources: demo/words. */
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
  /** Id: on its button, in links, and in the name of its model's file. */
  readonly id: string;
  readonly url: string;
}

/** The first one is there when the page opens. */
export const LISTS = [
  { id: "names", url: names },
  { id: "towns-italy", url: italy },
  { id: "dinosaurs", url: dinosaurs },
  { id: "creatures", url: creatures },
  { id: "plants", url: plants },
  { id: "towns-poland", url: poland },
  { id: "towns-hungary", url: hungary },
  { id: "towns-india", url: india },
  { id: "elements", url: elements },
] as const satisfies readonly [BuiltInList, ...BuiltInList[]];

/** The list with this id. */
export function listOf(id: string | undefined): BuiltInList | undefined {
  return LISTS.find((list) => list.id === id);
}
