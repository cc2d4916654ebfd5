/** How the kernels train one kind of network: chainProgram.ts and wordProgram.ts make it and allocate its memory. */
import type { Kernels } from "./exports";
import type { StoredParameter } from "./memoryLayout";

export interface Program {
  readonly layout: readonly StoredParameter[];
  readonly train: Kernels["train"];
  /** Address for the minibatch that a caller chose. */
  readonly given: number;
  /** Prepares the kernels for the parameters in memory. Nothing may be allocated after the first call. */
  refresh(): void;
}
