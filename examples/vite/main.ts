import mm from "makemore-web";
import towns from "./towns.txt?raw";

const button = document.createElement("button");
const progress = document.createElement("progress");
const list = document.createElement("ul");
document.body.append(button, " ", progress, list);

function show(words: string[]) {
  const items = words.map((word) => {
    const item = document.createElement("li");
    item.textContent = word;
    return item;
  });
  list.replaceChildren(...items);
}

/** Trains until the end or until the signal aborts, and shows the model's words. */
async function train(signal: AbortSignal) {
  try {
    await mm.train(towns, {
      sampleEvery: 100,
      onProgress: ({ step, steps, samples }) => {
        progress.value = step / steps;
        if (samples) show(samples);
      },
      signal,
    });
  } catch (error) {
    // After an abort, the model keeps what it has learned.
    if (!signal.aborted) throw error;
  }
  show(await mm.sample(10, { novel: true }));
}

let running: AbortController | undefined;

button.textContent = "Train";
button.addEventListener("click", async () => {
  if (running) return running.abort();
  running = new AbortController();
  button.textContent = "Stop";
  try {
    await train(running.signal);
  } finally {
    running = undefined;
    button.textContent = "Train";
  }
});
