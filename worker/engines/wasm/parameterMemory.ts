/** Reads and writes a model's parameters and their optimiser state in the kernels' memory. */
import type { Parameters } from "../../model/layer";
import { type Optimizer, stateOf } from "../../optimizers";
import type { EngineState } from "../engine";
import type { Kernels } from "./exports";
import type { StoredParameter } from "./memoryLayout";

export class ParameterMemory {
  readonly #kernels: Kernels;
  readonly #layout: readonly StoredParameter[];
  /** Names of the optimiser's state, in the order of its tensors. */
  readonly #states: readonly string[];

  constructor(kernels: Kernels, layout: readonly StoredParameter[], optimizer: Optimizer) {
    this.#kernels = kernels;
    this.#layout = layout;
    this.#states = stateOf(optimizer).map(([state]) => state);
  }

  write({ parameters, optimizerState }: EngineState): void {
    for (const parameter of this.#layout) {
      this.#write(parameter, 0, parameters);
      if (!parameter.trainable) continue;
      for (const [i, state] of this.#states.entries())
        this.#write(parameter, 1 + i, optimizerState?.get(state));
    }
  }

  read(): EngineState {
    const parameters = this.#readAll(this.#layout, 0);
    if (this.#states.length === 0) return { parameters };
    const trainable = this.#layout.filter((parameter) => parameter.trainable);
    const optimizerState = new Map(
      this.#states.map((state, i) => [state, this.#readAll(trainable, 1 + i)] as const),
    );
    return { parameters, optimizerState };
  }

  /** View of a parameter in memory: its values (0), or its first (1), second (2), … optimiser state. */
  #view(parameter: StoredParameter, which: number): Float32Array<ArrayBuffer> {
    const { buffer } = this.#kernels.memory;
    return new Float32Array(buffer, parameter.address + which * parameter.padded * 4, parameter.padded);
  }

  #write(parameter: StoredParameter, which: number, from: Parameters | undefined): void {
    const { length, together = 1, name } = parameter;
    const view = this.#view(parameter, which);
    const values = from?.get(name);
    for (let i = 0; i < length; i += together) {
      const at = parameter.place(i);
      for (let k = 0; k < together; k++) view[at + k] = values?.[i + k] ?? 0;
    }
  }

  #readAll(list: readonly StoredParameter[], which: number): Parameters {
    return new Map(
      list.map((parameter) => {
        const { length, together = 1, name } = parameter;
        const view = this.#view(parameter, which);
        const values = new Float32Array(length);
        for (let i = 0; i < length; i += together) {
          const at = parameter.place(i);
          for (let k = 0; k < together; k++) values[i + k] = view[at + k] ?? 0;
        }
        return [name, values];
      }),
    );
  }
}
