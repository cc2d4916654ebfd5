/** All engines, each under its name for the `backend` option. To add one, add its folder and a line here. */
export { tfjs } from "./tfjs/kind";
export { wasm } from "./wasm/kind";
export { webgpu } from "./webgpu/kind";
