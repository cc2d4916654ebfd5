import * as v from "valibot";
import { whole } from "../../validation";
import type { Architecture } from "./architecture";
import { wavenet } from "./wavenet";

/** The sizes of the lecture's MLP. The defaults are the lecture's. */
export interface MLPSizes {
  type: "mlp";
  /** Characters that the model sees. Default 3. */
  contextLength?: number | undefined;
  /** Length of each character's embedding vector. Default 10. */
  embedding?: number | undefined;
  /** Channels of the hidden layer. Default 200. */
  hidden?: number | undefined;
}

/**
 * The lecture's first model (Bengio et al., 2003), which joins the whole context at once: 12,097 parameters for 26
 * letters.
 */
export const mlp: Architecture<
  MLPSizes,
  MLPSizes & { contextLength: number; embedding: number; hidden: number }
> = {
  example: "window",
  sizes: v.strictObject({
    type: v.literal("mlp"),
    contextLength: v.optional(whole(1, 256), 3),
    embedding: v.optional(whole(1, 4096), 10),
    hidden: v.optional(whole(1, 4096), 200),
  }),
  layers: ({ contextLength, embedding, hidden }, longest) =>
    wavenet.layers({ type: "wavenet", contextLength, embedding, hidden, folds: [contextLength] }, longest),
};
