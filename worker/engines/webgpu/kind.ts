import type { EngineKind } from "../engine";
import { adapterName, isSoftware, requestAdapter } from "../gpu/adapter";
import { openGPU } from "../gpu/device";
import { supportedChain } from "./supports";

/** This package's fused WebGPU kernels. Models that read words have none yet: tfjs trains those on WebGPU. */
export const webgpu: EngineKind = {
  rank: 2,
  refuses: (setup) => {
    if (setup.network.example === "word") return undefined;
    const chain = supportedChain(setup);
    return typeof chain === "string" ? chain : undefined;
  },
  look: async () => {
    const adapter = await requestAdapter();
    if (!adapter) return { device: "", skipped: "there is no GPU adapter" };
    const device = adapterName(adapter);
    return isSoftware(adapter)
      ? { device, skipped: "a software adapter is never faster than wasm" }
      : { device };
  },
  warmUp: (example, files) => Promise.all([openGPU(), example === "word" ? files.tfjs() : files.webgpu()]),
  // A GPU that needs longer for its first steps is not worth the wait.
  patience: 5000,
  open: async (setup, files) =>
    setup.network.example === "word"
      ? (await files.tfjs()).createTfjsEngine(setup, { standsFor: "webgpu" })
      : (await files.webgpu()).createWebGPUEngine(setup),
};
