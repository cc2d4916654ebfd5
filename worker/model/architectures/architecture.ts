import type * as v from "valibot";
import type { Example } from "../layer";
import type { LayerSpec } from "../layers";

/**
 * A family of models: what a file of this folder defines.
 *
 * @template Sizes how a caller gives its sizes; `type` is the name in `list.ts`
 * @template Resolved the same with every default filled in
 */
export interface Architecture<
  Sizes extends { type?: string | undefined } = { type?: string | undefined },
  Resolved extends Sizes = Sizes,
> {
  /** What one example is. The layers decide it; this says so beforehand. */
  readonly example: Example;
  /** Checks sizes and fills in their defaults, which stand nowhere else. */
  readonly sizes: v.GenericSchema<Sizes, Resolved>;
  /**
   * The layers that sizes come to.
   *
   * @param longest positions of the longest word: the context length of a family that reads words, by default
   * @throws MakemoreError `INVALID_MODEL` if they do not fit together
   */
  layers(sizes: Resolved, longest: number): readonly LayerSpec[];
}
