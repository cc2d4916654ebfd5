/** h = tanh([x, h] @ W + b) */
import { learn } from "../learn";
import { addMatmul } from "../matmul";
import { fnma, tanh } from "../simd";
import { Cell } from "./recurrent";
import { trie } from "./trie";

const ZEROS = memory.data(32, 16);

export function rnnForward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4;
  for (let level = 0; level < trie.depth; level++) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    cell.enter(level, first, end);
    addMatmul(cell.gates + at, cell.before + at, cell.weight, end - first, stride, cell.width, cell.width, 0, 0);
    for (let g: usize = 0; g < <usize>(cell.width >> 2); g++)
      for (let i = at + g * stride; i < g * stride + ((<usize>end) << 4); i += 16)
        v128.store(cell.h + i, tanh(v128.load(cell.gates + i)));
  }
}

export function rnnBackward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4;
  cell.startBackward();
  for (let level = trie.depth - 1; level >= 0; level--) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    for (let g: usize = 0; g < <usize>(cell.width >> 2); g++)
      for (let i = at + g * stride; i < g * stride + ((<usize>end) << 4); i += 16) {
        const h = v128.load(cell.h + i);
        v128.store(cell.gates + i, f32x4.mul(v128.load(cell.dh + i), fnma(h, h, f32x4.splat(1))));
      }
    addMatmul(
      cell.beforeGradient + at, cell.gates + at, cell.transposed,
      end - first, stride, cell.width, cell.width, ZEROS, 0,
    );
    cell.leave(level, first, end);
  }
  cell.giveInput();
  learn(cell.weight, cell.bytes, cell.transposed, cell.before, cell.gates, trie.nodes, cell.width, cell.width);
}
