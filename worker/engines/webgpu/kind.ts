import type { EngineKind } from "../engine";
import { adapterName, isSoftware, requestAdapter } from "../gpu/adapter";
import { supportedChain } from "./supports";

/** This package's fused WebGPU kernels. */
export const webgpu: EngineKind = {
  rank: 2,
  refuses: (setup) => {
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
  // A GPU that has not got through its first steps by then is not worth the wait.
  patience: 5000,
  open: async (setup, files) => (await files.tfjs()).createWebGPUEngine(setup),
};
