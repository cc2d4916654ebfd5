import { optimizerKind } from "../../optimizers";
import { adapterName, isSoftware, requestAdapter } from "../adapter";
import type { EngineFacts } from "../engine";

/** This package's fused WebGPU kernels. */
export const webgpu: EngineFacts = {
  backend: "webgpu",
  rank: 2,
  refuses: ({ network, optimizer }) => {
    if (!network.chain)
      return "The webgpu backend trains an Embedding and then levels of FlattenConsecutive, Linear, BatchNorm1d and Tanh, in this order; use the tfjs backend for other models.";
    if (!optimizerKind(optimizer).wgsl)
      return `The webgpu backend does not know the optimizer "${optimizer.type}"; use the tfjs backend.`;
    return undefined;
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
};
