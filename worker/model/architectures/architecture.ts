import type * as v from "valibot";
import type { Example } from "../layer";
import type { LayerSpec } from "../layers";

/**
 * A family of models: what a file of this folder defines.
 *
 * @template Sizes the sizes that a caller gives; `type` is the name in `list.ts`
 * @template Resolved the same with all defaults filled in
 */
export interface Architecture<
  Sizes extends { type?: string | undefined } = { type?: string | undefined },
  Resolved extends Sizes = Sizes,
> {
  /** What one example is. It follows from the layers; here it is known before they are made. */
  readonly example: Example;
  /** Checks sizes and fills in their defaults. */
  readonly sizes: v.GenericSchema<Sizes, Resolved>;
  /**
   * Makes the layers for some sizes.
   *
   * @param longest positions of the longest word: the default context length of models that read words
   * @throws MakemoreError `INVALID_MODEL` if the sizes do not fit together
   */
  layers(sizes: Resolved, longest: number): readonly LayerSpec[];
}
