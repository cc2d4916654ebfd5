/**
 * Training: the form, the progress of it, and what it wrote on its way.
 *
 * Progress comes up to 20 times a second. Numbers are text and cost nothing; the chart is drawn at
 * most four times a second.
 */
import type { BackendMeasurement, ModelInfo, Progress, TrainResult } from "makemore-web";
import type { AppState, BackendChoice, Origin } from "./appState";
import { bigramLoss } from "./bigram";
import { Chart } from "./chart";
import { LossCurve } from "./curve";
import { Diary } from "./diary";
import {
  codeOf,
  field,
  find,
  isOffered,
  make,
  markFields,
  messageOf,
  numberOf,
  offer,
  reveal,
  withoutCall,
} from "./dom";
import { count, duration, loss, pace, took } from "./format";
import { InsidePlots } from "./insidePlots";
import { LIVE, LiveWords } from "./liveWords";
import { clearRecipe, labelOf, optionsOf, resumedSteps } from "./recipes";
import { colorOf, type Run, Runs } from "./runs";
import type { WordList } from "./wordList";
import type { WordsPanel } from "./wordsPanel";

/** Milliseconds between two drawings of the chart. */
const CHART_PAUSE = 250;

/** Words in a run's row. */
const RUN_WORDS = 5;

/** Words of a list that is learned within a few hundred steps. */
const SHORT_LIST = 3000;

/** A model that was not trained in this visit. */
const LABELS: Readonly<Record<Exclude<Origin, "trained">, string>> = {
  file: "A model from a file",
  prepared: "The small model of this page",
  saved: "Your model of an earlier visit",
};

const backends: readonly BackendChoice[] = ["auto", "wasm", "webgpu", "tfjs"];

export class TrainPanel {
  readonly #app: AppState;
  readonly #words: WordsPanel;
  readonly #form = find("train-form", HTMLFormElement);
  readonly #train = find("train", HTMLButtonElement);
  readonly #stop = find("stop", HTMLButtonElement);
  readonly #resume = find("resume", HTMLButtonElement);
  readonly #goOnButton = find("go-on", HTMLButtonElement);
  readonly #bar = find("progress", HTMLProgressElement);
  readonly #note = find("train-note", HTMLElement);
  readonly #live = find("train-live", HTMLElement);
  readonly #diary = new Diary(find("diary", HTMLElement));
  readonly #losses = find("losses", HTMLElement);
  readonly #measured = find("measured", HTMLElement);
  readonly #notMeasured = find("not-measured", HTMLElement);
  readonly #layers = find("layers", HTMLElement);
  readonly #figures = {
    step: find("figure-step", HTMLElement),
    pace: find("figure-pace", HTMLElement),
    left: find("figure-left", HTMLElement),
    loss: find("figure-loss", HTMLElement),
  };
  readonly #errors = {
    model: find("model-error", HTMLElement),
    train: find("train-error", HTMLElement),
  };
  readonly #chart = new Chart(find("chart", HTMLElement), find("chart-values", HTMLElement));
  readonly #inside = new InsidePlots();
  readonly #liveWords = new LiveWords(find("live", HTMLElement));
  readonly #runs = new Runs();
  /** The run on top of the chart; none for an opened file until it is trained. */
  #run: Run | undefined;
  #curve = new LossCurve(1);
  #drawnAt = 0;
  /** Losses of the list's bigram and of a random guess, once they are known. */
  #references = { guess: Number.NaN, bigram: Number.NaN };
  /** The list that these are of. */
  #referred: WordList | undefined;
  #counting = new AbortController();
  /** Of the call under way, from the click to its end. */
  #running: AbortController | undefined;
  /** Whether the call under way has taken a step. */
  #begun = false;
  /** Problems that training recovered from. */
  #notices: string[] = [];
  /** Quarters of the training that were announced to screen readers. */
  #said = 0;

  constructor(app: AppState, words: WordsPanel) {
    this.#app = app;
    this.#words = words;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#start(false);
    });
    this.#resume.addEventListener("click", () => void this.#start(true));
    this.#goOnButton.addEventListener("click", () => void this.#goOn());
    this.#stop.addEventListener("click", () => {
      // Before its first step there is nothing to keep.
      if (this.#begun) this.#app.makemore.stop();
      else this.#running?.abort();
    });
    // The focus goes to the button that undoes what was pressed, where a held key would press on.
    const controls: HTMLElement[] = [this.#form, this.#train, this.#stop, this.#resume];
    for (const control of controls)
      control.addEventListener("keydown", (event) => {
        if (event.repeat && event.key === "Enter") event.preventDefault();
      });
    this.#form.addEventListener("change", (event) => {
      if (!(event.target instanceof HTMLInputElement)) return;
      if (event.target.name === "recipe") clearRecipe(this.#form);
      if (event.target.name === "model")
        find("sizes", HTMLElement).hidden = field(this.#form, "model").value !== "own";
      if (event.target.name === "recipe" || event.target.name === "steps") this.#layOut();
    });
    // The form has the total for Resume.
    for (const event of ["input", "change"]) this.#form.addEventListener(event, () => this.#offerButtons());
    app.watch((change) => {
      if (change === "opened") this.#opened();
      if (change === "offered" && !app.training && !app.model)
        void this.#words.current().then((list) => this.#refer(list));
      this.#showModel();
    });
    this.#layOut();
    this.#showModel();
  }

  /** Goes on from the page's small model for this list, for as many steps again. */
  async #goOn(): Promise<void> {
    if (this.#running || !isOffered(this.#goOnButton)) return;
    // The button disappears.
    if (document.activeElement === this.#goOnButton) this.#train.focus({ preventScroll: true });
    offer(this.#goOnButton, false);
    try {
      await this.#app.openOffered(await this.#words.current());
    } catch (error) {
      this.#showError(messageOf(error), codeOf(error));
    }
    offer(this.#goOnButton, true);
    const { model, origin } = this.#app;
    if (model && origin === "prepared") await this.#start(true, 2 * model.step);
  }

  /**
   * Trains, or goes on from the current model; one training at a time.
   *
   * @param total steps to go on to; by default the form's
   */
  async #start(resume: boolean, total?: number): Promise<void> {
    if (this.#running) return;
    const running = new AbortController();
    this.#running = running;
    this.#showError("");
    const pressed = [this.#train, this.#resume].find((button) => button === document.activeElement);
    const noteBefore = this.#note.textContent;
    this.#begun = false;
    let result: TrainResult | undefined;
    try {
      const list = await this.#words.current();
      if (!resume || this.#app.fromFile) {
        if (this.#words.asks()) {
          this.#running = undefined;
          return;
        }
      }
      void this.#refer(list);
      const app = this.#app;
      const { standing, fromFile, origin } = app;
      const options = optionsOf(this.#form);
      const steps = resume && standing ? (total ?? resumedSteps(this.#form, standing)) : options.steps;
      const done = resume ? (standing?.step ?? 0) : 0;
      // The library's choice of steps is known when it begins.
      const unit = steps === undefined ? (list.words.size < SHORT_LIST ? 50 : 400) : Diary.every(steps);
      const what = {
        model: resume && origin !== "trained" ? LABELS[origin] : labelOf(this.#form, "model"),
        recipe: resume && origin !== "trained" ? "its own" : labelOf(this.#form, "recipe"),
        words: list.words.size,
      };
      const watching = {
        // The generator comes after the training.
        prefetch: true,
        evalEvery: unit,
        sampleEvery: unit,
        diagnostics: this.#inside.isAsked,
        onProgress: (progress: Progress) => {
          if (!this.#begun) {
            this.#begun = true;
            this.#begin(progress.steps, done, unit, what);
          }
          this.#progress(progress);
        },
        signal: running.signal,
      };
      this.#note.textContent = `Getting ready: loading the trainer, finding what is fastest here… ${resume ? whatResumeTakes(fromFile) : ""}`;
      this.#live.textContent = resume ? "Training goes on." : "Training begins.";
      if (pressed) this.#stop.focus({ preventScroll: true });
      result = resume
        ? await app.resume(list, { ...watching, steps })
        : await app.train(
            list,
            { ...options, ...watching },
            backends.find((name) => name === field(this.#form, "backend").value) ?? "auto",
          );
      if (this.#run) this.#run.seconds = (this.#run.seconds || 0) + result.seconds;
      if (result.stopped) this.#stopped();
      else this.#finished(result);
    } catch (error) {
      if (error === running.signal.reason) this.#stopped();
      else {
        this.#note.textContent = this.#begun ? "" : noteBefore;
        if (document.activeElement === this.#stop) pressed?.focus({ preventScroll: true });
        this.#showError(messageOf(error), codeOf(error));
      }
    }
    this.#running = undefined;
    this.#liveWords.stop();
    this.#runs.show();
    if (result && !result.stopped) await this.#addLosses();
    if (result) await this.#addWords();
  }

  /** Empty rows and axes for a training of the form's steps, so that nothing moves later. */
  #layOut(): void {
    const steps = numberOf(this.#form, "steps") ?? 0;
    if (steps > 0 && !this.#app.training && !this.#app.model) this.#clear(steps);
  }

  /** Clears the display for a training of `steps` steps, without the first `done`. */
  #clear(steps: number, done = 0, unit = 1): void {
    this.#curve = new LossCurve(steps, done);
    this.#draw();
    this.#losses.replaceChildren();
    this.#diary.begin(steps, done, unit);
    this.#showMeasured();
  }

  /** At the first step: clears the display of an earlier training, unless this one resumes it. */
  #begin(steps: number, done: number, unit: number, what: Pick<Run, "model" | "recipe" | "words">): void {
    if (done > 0) this.#diary.goOn(steps, done, unit);
    else {
      this.#run = undefined;
      this.#clear(steps, 0, unit);
      this.#inside.clear();
    }
    const { makemore, model } = this.#app;
    this.#run ??= this.#runs.add({ ...what, curve: this.#curve, parameters: model?.parameters ?? 0 });
    find("chart", HTMLElement).parentElement?.style.setProperty("--run", `var(--run-${colorOf(this.#run)})`);
    void this.#liveWords.start((count, options) => makemore.sample(count, options));
    this.#said = 0;
    this.#notices = [];
  }

  #progress(progress: Progress): void {
    const { step, steps, evaluation } = progress;
    this.#curve.steps = steps;
    this.#curve.add(step, progress.loss);
    if (this.#run) this.#run.steps = step;
    if (evaluation) this.#evaluated(step, evaluation.train, evaluation.validation);
    if (progress.samples) this.#diary.write(step, progress.samples);
    this.#inside.add(progress.diagnostics ?? [], steps);
    this.#showStep(step, steps);
    this.#figures.pace.textContent = pace(progress.stepsPerSecond);
    this.#figures.left.textContent = duration(progress.secondsLeft);
    this.#figures.loss.textContent = loss(progress.loss);
    if (progress.notice) this.#notices.push(progress.notice);
    this.#note.textContent = [`Training on ${progress.backend} (${progress.device}).`, ...this.#notices].join(
      " ",
    );
    const quarter = Math.floor((4 * step) / steps);
    if (quarter > this.#said) {
      this.#said = quarter;
      this.#live.textContent = `${quarter * 25} percent, loss ${loss(progress.loss)}`;
    }
    if (performance.now() - this.#drawnAt > CHART_PAUSE) this.#draw();
  }

  #showStep(step: number, steps: number): void {
    this.#bar.max = steps;
    this.#bar.value = step;
    this.#figures.step.textContent = `${count(step)} / ${count(steps)}`;
  }

  #evaluated(step: number, train: number, validation: number): void {
    this.#curve.validate(step, validation);
    this.#losses.append(row(count(step), loss(train), loss(validation)));
    if (this.#run) Object.assign(this.#run, { train, validation });
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    this.#chart.show({
      columns: this.#curve.columns(),
      steps: this.#curve.steps,
      color: this.#run ? colorOf(this.#run) : 1,
      earlier: this.#runs.all
        .filter((run) => run !== this.#run)
        .map((run) => ({ number: run.number, color: colorOf(run), columns: run.curve.columns() })),
      ...this.#references,
    });
  }

  /** Finds the losses that the chart compares with, once for a list. */
  async #refer(list: WordList): Promise<void> {
    if (list === this.#referred) return;
    this.#referred = list;
    const { words, characters } = list;
    this.#counting.abort();
    this.#counting = new AbortController();
    const { signal } = this.#counting;
    // Each character, and the end of the word.
    this.#references = { guess: Math.log(characters.size + 1), bigram: Number.NaN };
    this.#draw();
    const bigram = await bigramLoss(words, signal).catch(() => Number.NaN);
    if (signal.aborted) return;
    this.#references = { ...this.#references, bigram };
    this.#draw();
  }

  #finished(result: TrainResult): void {
    this.#ended();
    this.#showMeasured(result.measured);
    const done = `Done: ${count(result.losses.length)} steps in ${took(result.seconds)} on ${result.backend} (${result.device}).`;
    this.#note.textContent = [done, ...whatIsKept(result), ...result.notices].join(" ");
    this.#live.textContent = done;
  }

  /** The losses over all words, in the note of the training that has just ended and in its run. */
  async #addLosses(): Promise<void> {
    const note = this.#note.textContent;
    const run = this.#run;
    const found = await this.#app.makemore.evaluate().catch(messageOf);
    // Another training may have begun meanwhile, or a file been opened.
    if (this.#note.textContent !== note) return;
    const losses =
      typeof found === "string"
        ? `Its loss over all words is not known: ${found}`
        : `Loss over all words: train ${loss(found.train)}, validation ${loss(found.validation)}, test ${loss(found.test)}.`;
    if (run && typeof found !== "string")
      Object.assign(run, { train: found.train, validation: found.validation });
    this.#runs.show();
    this.#note.textContent = `${note} ${losses}`;
    this.#live.textContent = losses;
  }

  /** A few words of the training that has just ended, in its run. */
  async #addWords(): Promise<void> {
    const app = this.#app;
    const { models } = app;
    const run = this.#run;
    // The panel of new words says what went wrong.
    const words = await app.makemore.sample(RUN_WORDS, { ...LIVE, unique: true }).catch(() => []);
    if (!run || app.models !== models || app.training || words.length === 0) return;
    run.samples = words;
    this.#runs.show();
  }

  #ended(): void {
    this.#draw();
    this.#figures.left.textContent = "–";
  }

  #stopped(): void {
    const { model, standing } = this.#app;
    const begun = this.#begun;
    if (begun) this.#ended();
    if (document.activeElement === this.#stop)
      (isOffered(this.#resume) ? this.#resume : this.#train).focus({ preventScroll: true });
    const said =
      begun && standing
        ? `Stopped at step ${count(standing.step)} of ${count(standing.steps)}. ${whatResumeTakes(false)}`
        : `Stopped before the first step${model ? ": the model is as it was" : ""}.`;
    this.#note.textContent = said;
    this.#live.textContent = said;
  }

  /** Another model, whose training was not seen here. */
  #opened(): void {
    const { model } = this.#app;
    if (!model) return;
    this.#showError("");
    this.#run = undefined;
    this.#clear(model.steps, model.step);
    this.#inside.clear();
    this.#showStep(model.step, model.steps);
    for (const figure of [this.#figures.pace, this.#figures.left, this.#figures.loss])
      figure.textContent = "–";
    const { origin, fromFile } = this.#app;
    const opened = origin === "trained" ? "" : `${LABELS[origin]} is open. `;
    this.#note.textContent = `${opened}${whatResumeTakes(fromFile)}`;
  }

  #showModel(): void {
    const { model } = this.#app;
    this.#offerButtons();
    this.#layers.replaceChildren(...(model ? layerRows(model) : []));
  }

  #offerButtons(): void {
    const { standing, training } = this.#app;
    offer(this.#train, !training);
    offer(this.#stop, training);
    offer(
      this.#resume,
      !training && standing !== undefined && resumedSteps(this.#form, standing) !== undefined,
    );
  }

  #showMeasured(measured: readonly BackendMeasurement[] = []): void {
    this.#measured.replaceChildren(
      ...measured.map(({ backend, device, msPerStep, skipped }) =>
        row(backend, device, msPerStep?.toFixed(2) ?? skipped ?? "–"),
      ),
    );
    this.#notMeasured.hidden = measured.length > 0;
  }

  /** Shows failures of the words at the words, those of the model at the model, and all others at the button. */
  #showError(message: string, code?: string): void {
    const ofWords = code === "INVALID_WORDS" || code === "NO_WORDS";
    const ofModel = code === "INVALID_MODEL";
    const shown = withoutCall(message);
    this.#errors.model.textContent = ofModel ? shown : "";
    this.#words.showError(ofWords ? shown : "");
    this.#errors.train.textContent = ofModel || ofWords ? "" : shown;
    markFields(this.#form, message);
    for (const details of this.#form.querySelectorAll("details"))
      if (details.querySelector("[aria-invalid]") || (ofModel && details.id === "options"))
        details.open = true;
    // The words and the sizes may be out of sight.
    if (ofWords) this.#words.revealError();
    if (ofModel) reveal(this.#errors.model);
  }
}

/** Says which weights a training kept, and how many of their words are in the list. */
function whatIsKept({ kept, copies, step }: TrainResult): string[] {
  return [
    ...(kept && kept.step < step
      ? [`Kept the weights of step ${count(kept.step)}, the best on validation.`]
      : []),
    `${Math.round(100 * copies)}% of what it writes is in the list.`,
  ];
}

/** Where a resumed training has its settings from. */
function whatResumeTakes(fromFile: boolean): string {
  const own = fromFile
    ? "the model and recipe of the file, on the words above"
    : "the same model, words and recipe";
  return `Resume goes on with ${own}; of the form, only Steps counts.`;
}

function layerRows({ layers, parameters }: ModelInfo): HTMLTableRowElement[] {
  return [
    ...layers.map((layer) =>
      row(layer.name, layer.inputShape.join(" × "), layer.outputShape.join(" × "), count(layer.parameters)),
    ),
    row("all", "", "", count(parameters)),
  ];
}

/** A row of a table; the first cell is its header. */
function row(header: string, ...cells: string[]): HTMLTableRowElement {
  return make("tr", "", make("th", "", header), ...cells.map((cell) => make("td", "", cell)));
}
