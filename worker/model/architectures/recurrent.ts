/** What the RNN, the GRU and the LSTM share: an Embedding, a recurrent layer, and a Linear. */
import * as v from "valibot";
import { whole } from "../../validation";
import type { LayerSpec } from "../layers";

export interface RecurrentSizes {
  /** Length of each character's embedding vector. Default 64. */
  embedding?: number | undefined;
  /** Size of the state that the cell carries from character to character. Default 64. */
  hidden?: number | undefined;
}

/** Sizes with their defaults. */
export type ResolvedRecurrent<Sizes extends RecurrentSizes> = Sizes & { embedding: number; hidden: number };

/** The schema of `RecurrentSizes`, without its type. */
export const recurrentSizes = {
  embedding: v.optional(whole(1, 4096), 64),
  hidden: v.optional(whole(1, 4096), 64),
};

/** The layers around a recurrent layer of a type. */
export function recurrentLayers(
  type: "RNN" | "GRU" | "LSTM",
  { embedding, hidden }: ResolvedRecurrent<RecurrentSizes>,
): LayerSpec[] {
  return [
    { type: "Embedding", dimensions: embedding },
    { type, hidden },
    { type: "Linear", std: hidden ** -0.5 },
  ];
}
