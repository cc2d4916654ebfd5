"use client";
/** `useMakemore()`: a `Makemore` for as long as a React component is mounted, and its state for rendering. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { Makemore, type MakemoreOptions, type ModelInfo, type Progress } from "./index.js";

/**
 * What the model is doing: `"idle"` before there is one, `"training"`, `"loading"` (also `open`), or `"ready"`,
 * also after a training that was stopped or failed but left a model.
 */
export type MakemoreStatus = "idle" | "training" | "loading" | "ready";

/** What a component renders. A new object after each change. */
export interface MakemoreState {
  readonly status: MakemoreStatus;
  /** The progress of the running training, or of the last one. */
  readonly progress: Progress | undefined;
  readonly model: ModelInfo | undefined;
  /** Why the last call failed, usually a `MakemoreError`. Undefined again when the next call begins. */
  readonly error: unknown;
}

/** A method of `Makemore` whose promise resolves with undefined instead of rejecting. */
type Safe<Method extends (...args: never[]) => Promise<unknown>> = (
  ...args: Parameters<Method>
) => Promise<Awaited<ReturnType<Method>> | undefined>;

/**
 * The calls. They stay the same functions for the component's life. Their promises never reject: they resolve
 * with undefined, and `error` has the reason, unless the component itself ended the call (a signal, `dispose`, its unmounting).
 */
export interface MakemoreCalls {
  readonly train: Safe<Makemore["train"]>;
  readonly resume: Safe<Makemore["resume"]>;
  readonly load: Safe<Makemore["load"]>;
  /** Opens a model that `makemore().save(name)` or `saveAs` saved, in place of the present one. True when it did. */
  readonly open: (name: string) => Promise<true | undefined>;
  readonly sample: Safe<Makemore["sample"]>;
  /** Ends the training softly: `train` resolves with the result so far. */
  readonly stop: () => void;
  /** Ends the worker and forgets the model. The next call starts another. */
  readonly dispose: () => void;
  /** The instance, for every other call. It changes with `dispose` and `open`, so do not keep it. */
  readonly makemore: () => Makemore;
}

const IDLE: MakemoreState = { status: "idle", progress: undefined, model: undefined, error: undefined };

/**
 * A `Makemore` for as long as the component is mounted. Its worker starts at the first call, and ends when the
 * component is unmounted. Each component that calls it has its own.
 *
 * @param options as for `new Makemore`; those of the first rendering count
 */
export function useMakemore(options: MakemoreOptions = {}): MakemoreState & MakemoreCalls {
  const [store] = useState(() => createStore(options));
  const state = useSyncExternalStore(store.subscribe, store.state, () => IDLE);
  useEffect(store.mount, []);
  return { ...state, ...store.calls };
}

function createStore(options: MakemoreOptions) {
  let state = IDLE;
  let current: Makemore | undefined;
  let mounted = false;
  const listeners = new Set<() => void>();

  function set(change: Partial<MakemoreState>): void {
    state = { ...state, ...change };
    for (const listener of listeners) listener();
  }

  function makemore(): Makemore {
    if (current) return current;
    const created = new Makemore(options);
    current = created;
    // An effect of a child runs before `mount` does. A call after the unmounting must leave no worker.
    if (!mounted) queueMicrotask(() => mounted || current !== created || dispose());
    return created;
  }

  function dispose(): void {
    current?.dispose();
    current = undefined;
    set(IDLE);
  }

  /** State after a call. */
  const settled = (mm: Makemore): Partial<MakemoreState> => ({
    model: mm.model,
    status: mm.model ? "ready" : "idle",
  });

  /**
   * Makes a call, and keeps the state up to date.
   *
   * @param status while it runs; undefined for a call that leaves the model alone
   */
  async function run<Result>(
    status: MakemoreStatus | undefined,
    signal: AbortSignal | undefined,
    call: (mm: Makemore) => Promise<Result>,
  ): Promise<Result | undefined> {
    let mm: Makemore;
    try {
      mm = makemore();
    } catch (error) {
      // The options of the hook are invalid.
      set({ error });
      return undefined;
    }
    const busy = () => state.status === "training" || state.status === "loading";
    // A second training is refused, and a sample may end meanwhile; neither is the end of the first.
    const begins = status !== undefined && !busy();
    set({
      error: undefined,
      ...(begins && { status }),
      ...(begins && status === "training" && { progress: undefined }),
    });
    const after = () => (begins || !busy() ? settled(mm) : {});
    try {
      const result = await call(mm);
      if (mm === current) set(after());
      return result;
    } catch (error) {
      if (mm === current) set({ ...after(), ...(!signal?.aborted && { error }) });
      return undefined;
    }
  }

  /** Options whose `onProgress` also goes into the state. */
  function followed<Options extends { onProgress?: ((progress: Progress) => void) | undefined }>(
    mm: Makemore,
    options: Options,
  ): Options {
    // `Makemore` refuses it.
    if (options.onProgress !== undefined && typeof options.onProgress !== "function") return options;
    const onProgress = (progress: Progress) => {
      if (mm === current) set({ progress, model: mm.model });
      return options.onProgress?.(progress);
    };
    return { ...options, onProgress };
  }

  const calls: MakemoreCalls = {
    train: (words, options = {}) =>
      run("training", options.signal, (mm) => mm.train(words, followed(mm, options))),
    resume: (options = {}) => run("training", options.signal, (mm) => mm.resume(followed(mm, options))),
    load: (onnx, options = {}) => run("loading", options.signal, (mm) => mm.load(onnx, options)),
    open: (name) =>
      run("loading", undefined, async (mm) => {
        const opened = await Makemore.open(name, options);
        if (mm !== current) return void opened.dispose();
        mm.dispose();
        current = opened;
        set(settled(opened));
        return true as const;
      }),
    sample: (count, options = {}) => run(undefined, options.signal, (mm) => mm.sample(count, options)),
    stop: () => current?.stop(),
    dispose,
    makemore,
  };

  return {
    calls,
    state: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Strict mode calls this, what it returns, and this again. */
    mount() {
      mounted = true;
      return () => {
        mounted = false;
        dispose();
      };
    },
  };
}
