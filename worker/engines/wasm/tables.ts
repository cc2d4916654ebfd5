import type { TeacherTargets } from "../../data/examples";
import type { Kernels } from "./exports";
import { padTo8 } from "./memoryLayout";

/** Allocates tables one by one, and copies them once the kernels' memory no longer grows. */
export class Tables {
  readonly #kernels: Kernels;
  readonly #copies: [to: number, from: Uint32Array<ArrayBuffer> | Float32Array<ArrayBuffer>][] = [];

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  /** Allocates a table and returns its address. */
  place(from: Uint32Array<ArrayBuffer>): number {
    const to = this.#kernels.allocateNumbers(from.length);
    this.#copies.push([to, from]);
    return to;
  }

  /** Like `place` for the teacher's probabilities, with each row padded to a multiple of 8; 0 without a teacher. */
  placeTeacher(teacher: TeacherTargets | undefined, vocabularySize: number): number {
    if (!teacher) return 0;
    const width = padTo8(vocabularySize);
    const rows = teacher.shares.length / vocabularySize;
    const to = this.#kernels.allocateNumbers(rows * width);
    for (let row = 0; row < rows; row++)
      this.#copies.push([
        to + 4 * row * width,
        teacher.shares.subarray(row * vocabularySize, (row + 1) * vocabularySize),
      ]);
    return to;
  }

  /** Copies every table to its place. */
  copy(): void {
    const { buffer } = this.#kernels.memory;
    for (const [to, from] of this.#copies)
      new Uint8Array(buffer, to, from.byteLength).set(
        new Uint8Array(from.buffer, from.byteOffset, from.byteLength),
      );
  }
}
