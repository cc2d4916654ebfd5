/**
 * The tables of worker/data/examples.ts in GPU layout: one buffer of u32 words, and one of the teacher's
 * probabilities, whose rows are padded with zeros like the logits.
 */
import type { Examples } from "../../data/examples";
import { vec4s } from "./plan";

/** Offset of each table in the buffer of u32 words; absent for random order and hard targets without groups. */
export interface ExampleTables {
  readonly order: "even" | "random";
  readonly soft: boolean;
  /** Whether there is a teacher. */
  readonly taught: boolean;
  /** Number of examples. Default: every position of the stream except the first. */
  readonly count?: number;
  /** The positions to draw from, for hard targets. */
  readonly sorted: number;
  /** The tables of `ContextTable`, for soft targets. */
  readonly ranks: number;
  readonly contexts: number;
  readonly pairs: number;
}

/** The tables, and the contents of the buffers; empty for random order and hard targets. */
export interface UploadedExamples {
  readonly tables: ExampleTables | undefined;
  readonly words: Uint32Array<ArrayBuffer>;
  /** [contexts, vec4s of the vocabulary * 4]; empty without a teacher. */
  readonly teacher: Float32Array<ArrayBuffer>;
}

/** Lays the tables out. */
export function uploadedExamples(examples: Examples | undefined, vocabularySize: number): UploadedExamples {
  const none = new Float32Array(0);
  if (!examples) return { tables: undefined, words: new Uint32Array(0), teacher: none };
  const { order } = examples;
  const count = examples.targets === "hard" ? examples.sorted.length : examples.table.count;
  const places = { count, sorted: 0, ranks: 0, contexts: 0, pairs: 0 };
  if (examples.targets === "hard")
    return {
      tables: { order, soft: false, taught: false, ...places },
      words: examples.sorted,
      teacher: none,
    };
  const { ranks, contexts, pairs } = examples.table;
  const words = new Uint32Array(ranks.length + contexts.length + pairs.length);
  places.contexts = ranks.length;
  places.pairs = ranks.length + contexts.length;
  words.set(ranks);
  words.set(contexts, places.contexts);
  words.set(pairs, places.pairs);
  const taught = examples.teacher !== undefined;
  return {
    tables: { order, soft: true, taught, ...places },
    words,
    teacher: examples.teacher ? padRows(examples.teacher.shares, vocabularySize) : none,
  };
}

function padRows(shares: Float32Array, width: number): Float32Array<ArrayBuffer> {
  const padded = vec4s(width) * 4;
  const rows = shares.length / width;
  const out = new Float32Array(rows * padded);
  for (let row = 0; row < rows; row++) out.set(shares.subarray(row * width, (row + 1) * width), row * padded);
  return out;
}
