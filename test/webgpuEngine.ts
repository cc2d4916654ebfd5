/** Makes engines for the tests of the fused WebGPU engine. */
import type { EngineSetup } from "../worker/engines/engine";
import { createWebGPUEngine, type WebGPUEngine, type WebGPUEngineOptions } from "../worker/engines/webgpu";

const engines = new Set<WebGPUEngine>();

/** Makes an engine that `disposeAll` disposes of. */
export async function create(setup: EngineSetup, options?: WebGPUEngineOptions): Promise<WebGPUEngine> {
  const engine = await createWebGPUEngine(setup, options);
  engines.add(engine);
  return engine;
}

/** For `afterEach`. */
export function disposeAll(): void {
  for (const engine of engines) engine.dispose();
  engines.clear();
}
