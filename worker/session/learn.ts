/** One training, from its setup to its result. */
import type { TrainEvent, WorkerAPI } from "../../src/protocol";
import { delay, inSlices } from "../../src/slices";
import type { TrainResult } from "../../src/types";
import { engines, loadDiagnostics, loadONNXRuntime, openPredictor } from "../assets";
import type { Dataset } from "../data/dataset";
import { examplesWork } from "../data/examples";
import { wordExamplesWork } from "../data/wordExamples";
import type { Engine, EngineSetup } from "../engines/engine";
import { initialParametersWork } from "../model/network";
import type { Checkpoint } from "../training/checkpoint";
import { type Choice, replaceEngine } from "../training/chooseEngine";
import { Forecast } from "../training/forecast";
import { modelInfo } from "../training/modelInfo";
import { explosion, overfitting } from "../training/notices";
import { now } from "../training/pace";
import { smooth } from "../training/smooth";
import { Training } from "../training/training";
import type { Validated, Watch } from "../training/watch";
import { Autosave } from "./autosave";
import { type Calls, orAborted } from "./calls";
import type { Open } from "./changes";
import type { EngineChoices } from "./engineChoices";
import type { Start } from "./prepare";
import type { State } from "./state";

/** Words sampled every `sampleEvery` steps. */
const PROGRESS_SAMPLES = 5;

/** Timeout for the page's answer to the final model, ms. */
const ANSWER_MS = 1000;

export type OnEvent = Parameters<WorkerAPI["train"]>[3];

/** A call of `train` or `resume`. */
interface Learn {
  readonly id: number;
  readonly open: Open;
  /** Checks all options and words; changes nothing. */
  readonly prepare: () => Promise<Start>;
  readonly onEvent: OnEvent;
  readonly signal: AbortSignal;
  /** Ends the training early, with its result so far. */
  readonly softStop: AbortSignal;
}

/** Parts of the session that a training uses. */
interface Shared {
  readonly state: State;
  readonly choices: EngineChoices;
  readonly calls: Calls;
}

/** A training that is set up. */
interface Ready {
  readonly start: Start;
  readonly choice: Choice;
  readonly forecast: Forecast;
  readonly watch: Watch | undefined;
  readonly training: Training;
  readonly autosave: Autosave | undefined;
}

export async function learn(shared: Shared, call: Learn): Promise<TrainResult> {
  const started = now();
  const { signal, softStop } = call;
  const ready = await call.open(() => setUp(shared, call));
  const { start, choice, forecast, training } = ready;
  try {
    const { checkpoint, dataset } = start;
    const { kept, best, engine } = await run(shared, call, ready);
    // Aborted meanwhile: do not return the result.
    signal.throwIfAborted();
    const losses = training.losses.slice(0, training.step - checkpoint.step);
    const { network, recipe, vocabulary } = checkpoint;
    const exploded = await explosion(losses, vocabulary.size, best, async () => {
      const parameters = await inSlices(initialParametersWork(network, recipe.seed), signal);
      return forecast.training({ ...checkpoint, parameters });
    });
    const copies = await forecast.copies(kept);
    return {
      step: training.step,
      steps: training.steps,
      stopped: softStop.aborted && training.step < training.steps,
      ...(best ? { kept: { step: kept.step, validation: await forecast.validation(kept) } } : {}),
      copies,
      backend: engine.backend,
      device: engine.device,
      seconds: (now() - started) / 1000,
      losses,
      smoothed: smooth(losses),
      words: dataset.stats,
      model: modelInfo(kept),
      ...(choice.measured ? { measured: choice.measured } : {}),
      notices: [...training.notices, ...exploded, ...overfitting(copies, best !== undefined)],
    };
  } finally {
    forecast.dispose();
  }
}

/** Prepares and chooses an engine first, and only then replaces the session's model. */
async function setUp(
  { state, choices, calls }: Shared,
  { id, prepare, onEvent, signal, softStop }: Learn,
): Promise<Ready> {
  const start = await prepare();
  const { checkpoint, dataset, evalEvery, sampleEvery, diagnostics, prefetch, saveAs, notices = [] } = start;
  const { network, recipe } = checkpoint;
  const examples =
    network.example === "word"
      ? await inSlices(
          wordExamplesWork(dataset.train, network.vocabularySize, recipe, network.firstGroup),
          signal,
        )
      : await inSlices(examplesWork(dataset.train, network, recipe), signal);
  const setupFrom = (from: Checkpoint) => engineSetup(from, dataset, examples);
  const diagnoser =
    diagnostics === false
      ? undefined
      : new (await orAborted(loadDiagnostics(), signal)).Diagnoser({
          steps: diagnostics,
          from: checkpoint.step,
          of: recipe.steps,
          setup: setupFrom(checkpoint),
        });
  const forecast = new Forecast(openPredictor, network, dataset, recipe.batchSize);
  const watch = forecast.watch(checkpoint, start.watch);
  // Prefetch only after the first progress report, so that it does not delay the training.
  let loading = !prefetch;
  const training = new Training(checkpoint, dataset, {
    evalEvery,
    sampleEvery,
    watch,
    diagnoser,
    notices,
    openEngine: (from, lost, again) => replaceEngine(lost, again, setupFrom(from), engines),
    evaluate: (at) => forecast.losses(at, () => signal.aborted),
    sample: (at) => forecast.samples(at, PROGRESS_SAMPLES, at.step, () => signal.aborted),
    onProgress: (progress) => {
      tellPage(onEvent, { progress });
      if (!loading) {
        loading = true;
        // Ignore a failed prefetch: the first call that needs the file retries and reports the failure.
        loadONNXRuntime().catch(() => {});
      }
      autosave?.offer(training.checkpoint);
    },
    others: () => calls.others(),
  });
  const autosave =
    saveAs === undefined
      ? undefined
      : new Autosave(saveAs, dataset, (notice) => void training.notices.push(notice));
  // Choose the engine last: if memory ran out in a later step, nothing would dispose of it.
  const choice = await choices.choose(setupFrom(checkpoint), signal);
  training.notices.push(...choice.notices);
  for (const ending of [signal, softStop]) ending.addEventListener("abort", () => training.stop());
  if (softStop.aborted) training.stop();
  state.changedBy = id;
  state.checkpoint = checkpoint;
  state.standing = { last: checkpoint };
  state.dataset = dataset;
  state.training = training;
  return { start, choice, forecast, watch, training, autosave };
}

/** Trains to the end. The session's model is then the best one by validation loss, or the last one. */
async function run(
  { state, choices: { measurements } }: Shared,
  { onEvent }: Learn,
  { start, choice, watch, training, autosave }: Ready,
): Promise<{ engine: Engine; kept: Checkpoint; best: Validated | undefined }> {
  const tell = (of: Checkpoint) => tellPage(onEvent, { model: modelInfo(of), measurements });
  tell(start.checkpoint);
  let engine: Engine;
  let kept: Checkpoint;
  let best: Validated | undefined;
  try {
    engine = await training.run(choice.engine);
  } finally {
    kept = training.checkpoint;
    state.training = undefined;
    state.checkpoint = kept;
    state.standing = { last: kept, watch };
    try {
      best = await watch?.best(kept);
      if (best) kept = state.checkpoint = best.checkpoint;
    } finally {
      await autosave?.end(kept);
      // An aborted call returns no result, so this updates the page's `model`.
      await Promise.race([tell(kept), delay(ANSWER_MS)]);
    }
  }
  return { engine, kept, best };
}

/** Sends an event to the page. Skips an event that cannot be sent, because the result is sent anyway. */
async function tellPage(onEvent: OnEvent, event: TrainEvent): Promise<void> {
  try {
    await onEvent(event);
  } catch {
    // If the problem persists, sending the result reports it.
  }
}

/** Returns the setup of an engine that continues from a checkpoint. */
function engineSetup(
  { network, parameters, recipe, optimizerState }: Checkpoint,
  dataset: Dataset,
  examples: EngineSetup["examples"],
): EngineSetup {
  return {
    network,
    parameters,
    optimizer: recipe.optimizer,
    ...(optimizerState ? { optimizerState } : {}),
    stream: dataset.train,
    ...(examples ? { examples } : {}),
    seed: recipe.seed,
    batchSize: recipe.batchSize,
  };
}
