/**
 * z = sigmoid([x, h] @ Wz + bz), r = sigmoid([x, h] @ Wr + br), n = tanh([x, r h] @ Wn + bn), h = (1 - z) h + z n.
 * The gates are z, r, n. `weight` belongs to z and r; `a` is the weight of n, and `b` its transposed copy; `c` is
 * r h, and `d` its gradient.
 */
import { learn } from "../learn";
import { addMatmul } from "../matmul";
import { fma, fnma, sigmoid, tanh } from "../simd";
import { Cell } from "./recurrent";
import { trie } from "./trie";

const ZEROS = memory.data(32, 16);

export function gruForward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4, width = cell.width, part = <usize>(width >> 2) * stride;
  for (let level = 0; level < trie.depth; level++) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    cell.enter(level, first, end);
    addMatmul(cell.gates + at, cell.before + at, cell.weight, end - first, stride, width, 2 * width, 0, 0);
    for (let group: usize = 0; group < part; group += stride)
      for (let i = at + group; i < group + ((<usize>end) << 4); i += 16) {
        const z = cell.gates + i, r = sigmoid(v128.load(z + part));
        v128.store(z, sigmoid(v128.load(z)));
        v128.store(z + part, r);
        v128.store(cell.c + i, f32x4.mul(r, v128.load(cell.before + i)));
      }
    addMatmul(cell.gates + 2 * part + at, cell.c + at, cell.a, end - first, stride, width, width, 0, 0);
    for (let group: usize = 0; group < part; group += stride)
      for (let i = at + group; i < group + ((<usize>end) << 4); i += 16) {
        const z = cell.gates + i, n = tanh(v128.load(z + 2 * part)), before = v128.load(cell.before + i);
        v128.store(z + 2 * part, n);
        v128.store(cell.h + i, fma(v128.load(z), f32x4.sub(n, before), before));
      }
  }
}

export function gruBackward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4, width = cell.width, part = <usize>(width >> 2) * stride;
  const one = f32x4.splat(1);
  cell.startBackward();
  for (let level = trie.depth - 1; level >= 0; level--) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    for (let group: usize = 0; group < part; group += stride)
      for (let i = at + group; i < group + ((<usize>end) << 4); i += 16) {
        const gate = cell.gates + i, z = v128.load(gate), n = v128.load(gate + 2 * part), d = v128.load(cell.dh + i);
        const zd = f32x4.mul(z, d), kept = f32x4.sub(d, zd);
        v128.store(cell.beforeGradient + i, kept);
        v128.store(gate, f32x4.mul(f32x4.mul(kept, z), f32x4.sub(n, v128.load(cell.before + i))));
        v128.store(gate + 2 * part, f32x4.mul(zd, fnma(n, n, one)));
      }
    addMatmul(cell.d + at, cell.gates + 2 * part + at, cell.b, end - first, stride, width, width, ZEROS, 0);
    for (let group: usize = 0; group < part; group += stride)
      for (let i = at + group; i < group + ((<usize>end) << 4); i += 16) {
        const gate = cell.gates + i + part, r = v128.load(gate), before = cell.beforeGradient + i;
        const rd = f32x4.mul(v128.load(cell.d + i), r);
        v128.store(before, f32x4.add(v128.load(before), rd));
        v128.store(gate, f32x4.mul(f32x4.mul(rd, f32x4.sub(one, r)), v128.load(cell.before + i)));
      }
    addMatmul(
      cell.beforeGradient + at, cell.gates + at, cell.transposed, end - first, stride, 2 * width, width, 0, 0,
    );
    cell.leave(level, first, end);
  }
  cell.giveInput();
  learn(cell.a, cell.bytes, cell.b, cell.c, cell.gates + 2 * part, trie.nodes, width, width);
  learn(cell.weight, cell.bytes, cell.transposed, cell.before, cell.gates, trie.nodes, width, 2 * width);
}
