/** Replaces the page for tests that call a `Session` directly. */
import { releaseProxy } from "comlink";
import { vi } from "vitest";
import type { EncodedWords, Outcome, PlainSampleOptions, TrainEvent } from "../src/protocol";
import type { Progress } from "../src/types";
import type { Session } from "../worker/session";
import { sentWords } from "./sentWords";

/** Replaces `worker/assets` in Node: the wasm engine, and ONNX Runtime for Node. */
export async function nodeAssets() {
  const { createWasmEngine } = await import("../worker/engines/wasm");
  const { createWasmPredictor } = await import("../worker/engines/wasm/predictor");
  const refuse = async () => {
    throw new Error("This test has only the wasm engine.");
  };
  return {
    engines: { wasm: createWasmEngine, webgpu: refuse, tfjs: refuse },
    openPredictor: createWasmPredictor,
    loadDiagnostics: () => import("../worker/training/diagnostics/diagnoser"),
    loadONNXRuntime: vi.fn(() => import("onnxruntime-node")),
    setAssetURLs: () => {},
  };
}

export function list(words: readonly string[]): EncodedWords {
  return sentWords(words.join("\n"));
}

/** Makes the page's callback of a training, which the worker calls for each event and releases at the end. */
export function onEvents(onProgress: (progress: Progress) => void = () => {}): (event: TrainEvent) => void {
  const listen = (event: TrainEvent) => {
    if ("progress" in event) onProgress(event.progress);
  };
  return Object.assign(listen, { [releaseProxy]: () => {} });
}

/** Makes the page's callback of a call that answers in parts. */
export function onPart<T>(take: (part: T) => unknown = () => {}): (part: T) => void {
  return Object.assign(take, { [releaseProxy]: () => {} });
}

/** Returns the words of a `sample` call. */
export async function sampled(
  session: Session,
  options: PlainSampleOptions,
  count: number,
  novel?: EncodedWords,
): Promise<string[]> {
  const words: string[] = [];
  const take = onPart<string[]>((part) => void words.push(...part));
  await settled(session.sample(20, options, count, novel, take));
  return words;
}

/** Returns the value of a call, or throws its error. */
export async function settled<T>(call: Promise<Outcome<T>>): Promise<T> {
  const outcome = await call;
  if ("error" in outcome) throw new Error(`${outcome.error.code}: ${outcome.error.message}`);
  return outcome.value;
}
