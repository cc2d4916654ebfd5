/** The engines there are, each under the name that `backend` takes. To add one: its folder, and a line here. */
export { tfjs } from "./tfjs/kind";
export { wasm } from "./wasm/kind";
export { webgpu } from "./webgpu/kind";
