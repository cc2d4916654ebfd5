/** The program for networks of blocks (worker/model/blocks.ts). */
import { type Examples, windowExamples } from "../../data/examples";
import type { EngineSetup } from "../engine";
import type { Kernels } from "./exports";
import { memoryLayout } from "./memoryLayout";
import type { Program } from "./program";
import { chainOf } from "./supports";
import type { Tables } from "./tables";

export function chainProgram(kernels: Kernels, setup: EngineSetup, tables: Tables, tokens: number): Program {
  const { batchSize, stream } = setup;
  const chain = chainOf(setup.network);
  const { contextLength, vocabularySize, embedding, blocks } = chain;
  kernels.begin(tokens, stream.length, batchSize, contextLength, vocabularySize, embedding.dimensions);
  const examples = windowExamples(setup.examples);
  if (examples) placeExamples(kernels, tables, examples, vocabularySize);
  for (const { fold, fanOut, bias, norm, tanh } of blocks) {
    kernels.addLevel(fold, fanOut, bias !== undefined, tanh);
    if (norm) kernels.addBatchNorm(norm.momentum, norm.epsilon);
  }
  return {
    layout: memoryLayout(chain, kernels),
    train: kernels.train,
    given: kernels.positionsAddress(),
    refresh: kernels.refresh,
  };
}

/** Allocates the tables of worker/data/examples.ts. */
function placeExamples(kernels: Kernels, tables: Tables, examples: Examples, vocabularySize: number): void {
  if (examples.targets === "hard") {
    const { sorted } = examples;
    kernels.drawExamples(examples.order === "even", tables.place(sorted), sorted.length);
    return;
  }
  const { table, teacher, order } = examples;
  kernels.drawExamples(order === "even", 0, table.count);
  kernels.useSoftTargets(
    tables.place(table.ranks),
    tables.place(table.contexts),
    tables.place(table.pairs),
    tables.placeTeacher(teacher, vocabularySize),
  );
}
