/**
 * The page that checks and measures the webgpu engine on a visitor's own GPU: `npm run bench:gpu`. It runs its
 * sections one after the other, shows a line for each figure, and offers all of them as one JSON file.
 */
import { adapterName, isSoftware, requestAdapter } from "../../../worker/engines/gpu/adapter";
import { correctness } from "./correctness";
import { kernelTimes } from "./engine";
import { launch } from "./launch";
import { sizes } from "./models";
import { trainings, wholeTraining } from "./product";
import { engineTime, peerTime } from "./sections";
import { settings } from "./settings";

const PEERS = ["jax-js-webgpu", "tfjs-webgpu"];

const results: Record<string, unknown> = {};
const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;

function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}.`);
  return found;
}

async function say(line: string): Promise<void> {
  element("log").textContent += `${line}\n`;
  if (settings.report) await fetch("/log", { method: "POST", body: line });
}

/** Runs a section; reports a failure and goes on with the other sections. */
async function section(name: string, run: () => Promise<unknown>): Promise<void> {
  if (settings.only && !settings.only.includes(name)) return;
  if (seconds() > settings.budget) return say(`${name}: no time left`);
  element("state").textContent = `Running: ${name}.`;
  const start = seconds();
  try {
    results[name] = await run();
  } catch (error) {
    results[name] = { error: String(error) };
    await say(`${name} FAILED: ${error instanceof Error ? error.stack : error}`);
  }
  await say(`${name}: ${(seconds() - start).toFixed(1)} s`);
}

/** Runs a measurement per item; reports a failure and goes on with the other items. */
async function each<T extends { readonly name: string }>(
  list: readonly T[],
  measure: (item: T) => Promise<unknown>,
): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const item of list) {
    if (seconds() > settings.budget) break;
    try {
      found[item.name] = await measure(item);
    } catch (error) {
      found[item.name] = { error: String(error) };
    }
    await say(`${item.name}: ${JSON.stringify(found[item.name])}`);
  }
  return found;
}

async function main(): Promise<void> {
  const adapter = await requestAdapter();
  if (!adapter) throw new Error("This browser has no WebGPU adapter.");
  const { vendor, architecture, device, description } = adapter.info;
  results.about = {
    date: new Date().toISOString(),
    browser: navigator.userAgent,
    adapter: { name: adapterName(adapter), vendor, architecture, device, description },
    software: isSoftware(adapter),
    timestamps: adapter.features.has("timestamp-query"),
    query: location.search,
  };
  await say(JSON.stringify(results.about));
  await section("correct", () => correctness(say));
  await section("sizes", () => each(sizes, engineTime));
  await section("launch", async () => {
    const found = await launch();
    await say(JSON.stringify(found));
    return found;
  });
  await section("kernels", () => each(sizes, kernelTimes));
  await section("product", () =>
    each(
      Array.from(trainings(), ([name, options]) => ({ name, options })),
      ({ options }) => wholeTraining(options),
    ),
  );
  await section("peers", () =>
    each(
      PEERS.map((name) => ({ name })),
      ({ name }) => peerTime(name),
    ),
  );
}

function offer(): void {
  const link = element("download");
  if (!(link instanceof HTMLAnchorElement)) throw new Error("#download is not a link.");
  const json = JSON.stringify(results, null, 1);
  link.href = URL.createObjectURL(new Blob([json], { type: "application/json" }));
  link.download = "makemore-web-gpu.json";
  link.hidden = false;
}

try {
  await main();
  element("state").textContent = `Done in ${Math.round(seconds())} s.`;
} catch (error) {
  results.fatal = String(error);
  element("state").textContent = `It failed: ${error}`;
}
offer();
if (settings.report) await fetch("/done", { method: "POST", body: JSON.stringify(results) });
