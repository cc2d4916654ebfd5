/** The small models that come with the page, one for each of its lists; `npm run demo:models` trains them. */
import all from "../models/models.json";

/** A model that was trained before, and what it wrote then. */
export interface Prepared {
  /** Size of its file. */
  readonly bytes: number;
  readonly words: readonly string[];
}

const urls = import.meta.glob<string>("../models/*.onnx", { query: "?url", import: "default", eager: true });
const models: Readonly<Record<string, Prepared>> = all;

/** A model of the page, with the address of its file. */
export interface PreparedModel extends Prepared {
  readonly url: string;
}

/** The model for a list, and the address of its file; undefined if the page has none. */
export function preparedFor(id: string): PreparedModel | undefined {
  const [model, url] = [models[id], urls[`../models/${id}.onnx`]];
  return model && url ? { ...model, url } : undefined;
}
