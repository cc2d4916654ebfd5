/** The program for networks that read words: the plan of plan.ts. */
import { longestWord } from "../../data/dataset";
import { wordStarts } from "../../data/wordExamples";
import type { EngineSetup } from "../engine";
import type { Kernels } from "./exports";
import { compilePlan } from "./plan";
import type { Program } from "./program";
import type { Tables } from "./tables";

export function wordProgram(kernels: Kernels, setup: EngineSetup, tables: Tables, tokens: number): Program {
  const { network, batchSize, stream, examples } = setup;
  const { firstGroup, vocabularySize } = network;
  const starts = wordStarts(setup);
  // With groups, count one more place per word: it makes room for the additional roots.
  const roots = firstGroup < vocabularySize ? 1 : 0;
  const { layout, write } = compilePlan(kernels, network, {
    stream: tokens,
    starts: tables.place(starts),
    words: starts.length,
    even: examples?.order === "even",
    batchSize,
    longest: longestWord(stream, firstGroup).length + roots,
  });
  if (examples?.unit === "word" && examples.targets === "soft") {
    const { prefixOf, firstPair, pairs } = examples.prefixes;
    kernels.useSoftWordTargets(
      tables.place(prefixOf),
      tables.place(firstPair),
      tables.place(pairs),
      tables.placeTeacher(examples.teacher, vocabularySize),
    );
  }
  return {
    layout,
    train: kernels.trainWords,
    given: kernels.wordsAddress(),
    refresh: () => {
      write();
      kernels.refreshPlan();
    },
  };
}
