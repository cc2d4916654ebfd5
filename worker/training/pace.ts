/** The clock of a training, and its speed. Both work if the browser's clock stands still, goes backwards, or jumps after a sleep. */

/** The longest pause that counts towards the speed without question, ms. */
const PAUSE_MS = 10_000;
/** A longer pause was a sleep if its steps were this many times as slow as the steps around it. */
const SLEEP_RATIO = 10;
/** The speed is measured over about this time, ms. */
const WINDOW_MS = 1000;

let latest = 0;
let correction = 0;

/** Like `performance.now()`, but never goes backwards, even if the browser's clock does. */
export function now(): number {
  const time = performance.now();
  correction = Math.max(correction, latest - time);
  latest = time + correction;
  return latest;
}

interface Mark {
  readonly time: number;
  readonly steps: number;
}

/** Measures the steps per second over about the last second, without the time that the machine slept. */
export class Pace {
  #marks: Mark[] = [{ time: now(), steps: 0 }];
  #stepsPerSecond = 0;

  add(steps: number): void {
    const last = this.#marks.at(-1);
    const mark = { time: now(), steps: (last?.steps ?? 0) + steps };
    // A second pause in a row is not a sleep, because the steps are really that slow.
    if (last && this.#marks.length > 1 && isSleep(last, mark, this.#stepsPerSecond)) {
      // Keep the speed from before the sleep, and measure anew.
      this.#marks = [mark];
      return;
    }
    this.#marks.push(mark);
    while (this.#marks.length > 2 && mark.time - (this.#marks[1]?.time ?? 0) > WINDOW_MS) this.#marks.shift();
    const [first = mark, second = mark] = this.#marks;
    // A sleep before the first known speed can be noticed only now.
    if (second !== mark && isSleep(first, second, speed(second, mark))) this.#marks.shift();
    this.#stepsPerSecond = speed(this.#marks[0] ?? first, mark);
  }

  stepsPerSecond(): number {
    return this.#stepsPerSecond;
  }
}

function speed(from: Mark, to: Mark): number {
  // A clock may be as coarse as a millisecond.
  return ((to.steps - from.steps) * 1000) / Math.max(1, to.time - from.time);
}

/** Tells whether steps took so long because the machine slept meanwhile. */
function isSleep(from: Mark, to: Mark, usual: number): boolean {
  return to.time - from.time > PAUSE_MS && SLEEP_RATIO * speed(from, to) < usual;
}
