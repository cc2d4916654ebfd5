/**
 * The GPU adapter of this thread: whether there is one, its name, and whether it is a real GPU or
 * software.
 */

/** Requests a new adapter on each call, because an adapter gives only one device. */
export async function requestAdapter(): Promise<GPUAdapter | undefined> {
  // navigator.gpu is absent in older browsers, on insecure pages and in Node.
  const gpu = typeof navigator === "object" && "gpu" in navigator ? navigator.gpu : undefined;
  return (await gpu?.requestAdapter({ powerPreference: "high-performance" })) ?? undefined;
}

/** Adapter's name as readable text. Browsers before 2024 do not give one. */
export function adapterName({ info }: { readonly info?: GPUAdapterInfo }): string {
  return info?.description || [info?.vendor, info?.architecture].filter(Boolean).join(" ") || "WebGPU";
}

/**
 * Tells whether an adapter computes on the CPU: the fallback adapters of browsers, and the software
 * rasterisers that call themselves GPUs (SwiftShader, Mesa's llvmpipe, Windows' WARP).
 */
export function isSoftware({ info }: { readonly info?: GPUAdapterInfo }): boolean {
  if (!info) return false;
  const words = [info.vendor, info.architecture, info.device, info.description].join(" ");
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render|software/i.test(words);
}
