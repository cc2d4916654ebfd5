/** The parameters of the fused WebGPU engine as tensors of tfjs, in place where possible. */
import type * as TF from "@tensorflow/tfjs";
import { WebGPUBackend } from "@tensorflow/tfjs-backend-webgpu";
import type { SharedParameter, WebGPUEngine } from "../webgpu";
import { openWebGPU, tf } from "./backend";

/**
 * Returns every parameter as a tensor on tfjs's webgpu backend, which becomes the current one. A tensor shares the
 * engine's buffer if its channels are a multiple of eight and its Linear has no bias; the others are copies on the GPU.
 * The caller disposes of the tensors. Use them before the engine's next `run`, which changes the shared ones.
 *
 * @throws EngineLost if the engine's device was lost
 */
export async function sharedTensors(engine: WebGPUEngine): Promise<Map<string, TF.Tensor>> {
  const parameters = engine.share(flush);
  await openWebGPU();
  return new Map(parameters.map((parameter) => [parameter.name, tensorOf(parameter)]));
}

function tensorOf({ shape, buffer, place }: SharedParameter): TF.Tensor {
  const { at, groups, rows, columns, paddedRows, paddedColumns } = place;
  const over = (inPlace: number[]) => tf.tensor({ buffer, zeroCopy: true }, inPlace, "float32");
  if (groups * rows * columns * 4 === buffer.size) return over([...shape]);
  return tf.tidy(() =>
    over([buffer.size / 4])
      .slice(at, groups * paddedRows * paddedColumns)
      .reshape([groups, paddedRows, paddedColumns])
      .slice([0, 0, 0], [groups, rows, columns])
      .reshape([...shape]),
  );
}

/** Submits tfjs's queued commands, before the engine overwrites the buffers that they read. */
function flush(): void {
  const backend = tf.findBackend("webgpu");
  if (!(backend instanceof WebGPUBackend)) return;
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}
