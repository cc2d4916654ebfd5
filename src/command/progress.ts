/** Shows progress on standard error: a bar with live samples on a terminal, otherwise a line per tenth. */
import { createLogUpdate } from "log-update";
import type { Progress } from "../types";

/** Characters of the bar. */
const WIDTH = 30;

export interface ProgressDisplay {
  show(progress: Progress): void;
  /** Ends the display, and leaves its last state on the screen. */
  end(): void;
}

/** @param quiet shows nothing */
export function progressDisplay(stream: NodeJS.WriteStream, quiet: boolean): ProgressDisplay {
  if (quiet) return { show: () => {}, end: () => {} };
  // A terminal of unknown size reports 0 rows and 0 columns.
  return stream.isTTY && stream.rows > 0 ? terminalDisplay(stream) : lineDisplay(stream);
}

function terminalDisplay(stream: NodeJS.WriteStream): ProgressDisplay {
  const log = createLogUpdate(stream);
  let samples: readonly string[] = [];
  return {
    show(progress) {
      samples = progress.samples ?? samples;
      const done = Math.round((WIDTH * progress.step) / progress.steps);
      log(`${"█".repeat(done)}${"░".repeat(WIDTH - done)} ${state(progress)}\n${samples.join("  ")}`);
    },
    end: () => log.done(),
  };
}

/** Prints a line per tenth of the training. */
function lineDisplay(stream: NodeJS.WriteStream): ProgressDisplay {
  let tenths = 0;
  return {
    show(progress) {
      const now = Math.floor((10 * progress.step) / progress.steps);
      if (now === tenths) return;
      tenths = now;
      stream.write(`${state(progress)}\n`);
    },
    end: () => {},
  };
}

function state({ step, steps, loss, secondsLeft }: Progress): string {
  const count = (n: number) => n.toLocaleString("en");
  return `${count(step)}/${count(steps)}  loss ${loss.toFixed(4)}  ${Math.ceil(secondsLeft)} s left`;
}
