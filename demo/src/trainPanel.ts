/**
 * Training: the form, the progress of it, and what it wrote on its way.
 *
 * Progress comes up to 20 times a second. Numbers are text and cost nothing; the chart is drawn at
 * most four times a second.
 */
import type { Progress, TrainResult } from "makemore-web";
import { Chart } from "./chart";
import { LossCurve } from "./curve";
import { Diary } from "./diary";
import { codeOf, field, find, make, markFields, messageOf, numberOf } from "./dom";
import { count, duration, loss, pace } from "./format";
import { fillPreset, optionsOf } from "./recipes";
import type { BackendChoice, Session } from "./session";
import type { WordsPanel } from "./wordsPanel";

/** Milliseconds between two drawings of the chart. */
const CHART_PAUSE = 250;

const backends: readonly BackendChoice[] = ["auto", "wasm", "webgpu", "tfjs"];

export class TrainPanel {
  readonly #session: Session;
  readonly #words: WordsPanel;
  readonly #form = find("train-form", HTMLFormElement);
  readonly #train = find("train", HTMLButtonElement);
  readonly #stop = find("stop", HTMLButtonElement);
  readonly #resume = find("resume", HTMLButtonElement);
  readonly #bar = find("progress", HTMLProgressElement);
  readonly #note = find("train-note", HTMLElement);
  readonly #live = find("train-live", HTMLElement);
  readonly #diary = new Diary(find("diary", HTMLElement));
  readonly #losses = find("losses", HTMLElement);
  readonly #measured = find("measured", HTMLElement);
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
  readonly #chart = new Chart(find("chart", HTMLElement));
  #curve = new LossCurve(5000);
  #drawnAt = 0;
  #abort = new AbortController();
  /** What is to be done at the first sign that a call was accepted. */
  #begin: (() => void) | undefined;
  /** What this training got over. */
  #notices: string[] = [];
  /** Quarters of the training that were said aloud. */
  #said = 0;

  constructor(session: Session, words: WordsPanel) {
    this.#session = session;
    this.#words = words;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#start(false);
    });
    this.#resume.addEventListener("click", () => void this.#start(true));
    this.#stop.addEventListener("click", () => this.#abort.abort());
    this.#form.addEventListener("change", (event) => {
      if (!(event.target instanceof HTMLInputElement)) return;
      if (event.target.name === "recipe") fillPreset(this.#form);
      if (event.target.name === "model")
        find("sizes", HTMLElement).hidden = field(this.#form, "model").value !== "own";
      if (event.target.name === "recipe" || event.target.name === "steps") this.#layOut();
    });
    session.watch(() => this.#showModel());
    fillPreset(this.#form);
    this.#layOut();
  }

  /** Trains, or goes on with what there is. */
  async #start(resume: boolean): Promise<void> {
    this.#showError("");
    const session = this.#session;
    const list = await this.#words.current();
    const options = optionsOf(this.#form);
    // Steps that make no sense are refused before any of this counts.
    const total = options.steps && options.steps > 0 ? options.steps : 1;
    this.#abort = new AbortController();
    const watching = {
      evalEvery: Diary.every(total),
      sampleEvery: Diary.every(total),
      onProgress: (progress: Progress) => this.#progress(progress),
      signal: this.#abort.signal,
    };
    const done = session.model?.step ?? 0;
    const goesOn = resume && !session.fromFile;
    this.#begin = goesOn
      ? () => this.#diary.goOn(Math.max(total, this.#curve.steps), done)
      : () => this.#clear(total, resume ? done : 0);
    this.#said = 0;
    this.#notices = [];
    this.#note.textContent = "Getting ready: loading the trainer, finding what is fastest here…";
    this.#live.textContent = resume ? "Training goes on." : "Training begins.";
    try {
      const steps = total > done ? { steps: total } : {};
      const result = resume
        ? await session.resume(list, { ...watching, ...steps })
        : await session.train(
            list,
            { ...options, ...watching },
            backends.find((name) => name === field(this.#form, "backend").value) ?? "auto",
          );
      await this.#finish(result);
    } catch (error) {
      if (this.#abort.signal.aborted) this.#stopped();
      else {
        this.#note.textContent = "";
        this.#showError(messageOf(error), codeOf(error));
      }
    }
  }

  /** Empty rows and axes for a training of the form's steps, so that nothing moves later. */
  #layOut(): void {
    const steps = numberOf(this.#form, "steps") ?? 0;
    if (steps > 0 && !this.#session.training && !this.#session.model) this.#clear(steps);
  }

  #clear(steps: number, done = 0): void {
    this.#curve = new LossCurve(steps, done);
    this.#draw();
    this.#losses.replaceChildren();
    this.#diary.begin(steps, done);
  }

  #progress(progress: Progress): void {
    const { step, steps, evaluation } = progress;
    this.#begin?.();
    this.#begin = undefined;
    this.#curve.steps = steps;
    this.#curve.add(step, progress.loss);
    if (evaluation) this.#evaluated(step, evaluation.train, evaluation.validation);
    if (progress.samples) this.#diary.write(step, progress.samples);
    this.#bar.max = steps;
    this.#bar.value = step;
    this.#figures.step.textContent = `${count(step)} / ${count(steps)}`;
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

  #evaluated(step: number, train: number, validation: number): void {
    this.#curve.validate(step, validation);
    this.#losses.append(row(count(step), loss(train), loss(validation)));
  }

  #draw(): void {
    this.#drawnAt = performance.now();
    this.#chart.show(this.#curve.columns(), this.#curve.steps);
  }

  async #finish(result: TrainResult): Promise<void> {
    this.#ended();
    this.#bar.value = result.step;
    this.#measured.replaceChildren(
      ...(result.measured ?? []).map(({ backend, device, msPerStep, skipped }) =>
        row(backend, device, msPerStep?.toFixed(2) ?? skipped ?? "–"),
      ),
    );
    const took = `Done: ${count(result.losses.length)} steps in ${duration(result.seconds)} on ${result.backend} (${result.device}).`;
    this.#note.textContent = [took, ...result.notices].join(" ");
    const { train, validation, test } = await this.#session.makemore.evaluate();
    // Another one may have begun meanwhile.
    if (this.#session.training) return;
    const losses = `Loss over all words: train ${loss(train)}, validation ${loss(validation)}, test ${loss(test)}.`;
    this.#note.textContent = [took, ...result.notices, losses].join(" ");
    this.#live.textContent = `${took} ${losses}`;
  }

  #ended(): void {
    this.#draw();
    this.#figures.left.textContent = "–";
  }

  #stopped(): void {
    this.#ended();
    const step = this.#session.model?.step;
    const said =
      step === undefined
        ? "Stopped before the first step."
        : `Stopped at step ${count(step)}. Resume goes on from there.`;
    this.#note.textContent = said;
    this.#live.textContent = said;
  }

  #showModel(): void {
    const { model, training } = this.#session;
    const buttons = [this.#train, this.#stop, this.#resume];
    const focused = buttons.some((button) => button === document.activeElement);
    this.#train.disabled = training;
    this.#stop.disabled = !training;
    this.#resume.disabled = training || model === undefined;
    // A button that is disabled under the focus would drop it.
    const next = training ? this.#stop : model ? this.#resume : this.#train;
    if (focused && !buttons.some((button) => !button.disabled && button === document.activeElement))
      next.focus({ preventScroll: true });
    this.#layers.replaceChildren(
      ...(model?.layers ?? []).map((layer) =>
        row(layer.name, layer.inputShape.join(" × "), layer.outputShape.join(" × "), count(layer.parameters)),
      ),
      row("all", "", "", count(model?.parameters ?? 0)),
    );
  }

  /** Words' failures belong to the words, a model's to the model; the rest stands by the button. */
  #showError(message: string, code?: string): void {
    this.#errors.model.textContent = code === "INVALID_MODEL" ? message : "";
    this.#words.showError(code === "INVALID_WORDS" || code === "NO_WORDS" ? message : "");
    this.#errors.train.textContent =
      code === "INVALID_MODEL" || code === "INVALID_WORDS" || code === "NO_WORDS" ? "" : message;
    markFields(this.#form, message);
    const details = this.#form.querySelector("details");
    if (details?.querySelector("[aria-invalid]")) details.open = true;
  }
}

/** A row of a table; the first cell is its header. */
function row(header: string, ...cells: string[]): HTMLTableRowElement {
  return make("tr", "", make("th", "", header), ...cells.map((cell) => make("td", "", cell)));
}
