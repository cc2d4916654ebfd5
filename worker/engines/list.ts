/** The engines there are, each under its name. To add one: its folder, and a line here. */
export { tfjs } from "./tfjs/facts";
export { wasm } from "./wasm/facts";
export { webgpu } from "./webgpu/facts";
