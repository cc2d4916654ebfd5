/** Types and functions derived from the engines of `list.ts`. */
import * as v from "valibot";
import { MakemoreError } from "../../src/errors";
import type { Example } from "../model/layer";
import type { EngineFactory, EngineFiles, EngineKind, EngineSetup } from "./engine";
import * as kinds from "./list";
import type { PredictorFactory } from "./predictor";

const ranked = (Object.entries(kinds) as [keyof typeof kinds, EngineKind][]).sort(
  ([, a], [, b]) => b.rank - a.rank,
);

const named = v.picklist(ranked.map(([name]) => name));
function parseName(name: unknown) {
  return v.parse(named, name);
}
// From a function's return type, which TypeScript spells out in the .d.ts file: see LayerSpec.
/** The name of an engine that can train: see `MakemoreOptions.backend`. */
export type Backend = ReturnType<typeof parseName>;

/** The engines by rank: from the most specialised to the one that trains anything. */
export const byRank: readonly { readonly backend: Backend; readonly kind: EngineKind }[] = ranked.map(
  ([backend, kind]) => ({ backend, kind }),
);

/** How each engine is opened. */
export type Engines = Record<Backend, EngineFactory>;

/** Returns the engines; some load one of `files` on first use. */
export function enginesFrom(files: EngineFiles): Engines {
  // Has exactly the names of `kinds`.
  return Object.fromEntries(
    byRank.map(({ backend, kind }): [Backend, EngineFactory] => [
      backend,
      Object.assign((setup: EngineSetup) => kind.open(setup, files), {
        warmUp: (example: Example) => kind.warmUp?.(example, files),
      }),
    ]),
  ) as Engines;
}

/** Opens the predictor of the first engine, by rank, that has one for the network and this machine. */
export function predictorFrom(files: EngineFiles): PredictorFactory {
  return async (network, most) => {
    let refusal = new MakemoreError("UNSUPPORTED", "No engine has a predictor.");
    for (const { kind } of byRank)
      try {
        if (kind.openPredictor) return await kind.openPredictor(network, most, files);
      } catch (error) {
        if (!(error instanceof MakemoreError) || error.code !== "UNSUPPORTED") throw error;
        refusal = error;
      }
    throw refusal;
  };
}
