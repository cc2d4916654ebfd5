/**
 * i, f, g, o = [x, h] @ W + b, c = sigmoid(f) c + sigmoid(i) tanh(g), h = sigmoid(o) tanh(c); c starts at 0.
 * The fields are: `a` is c, `b` is tanh(c), `c` is the gradient of c.
 */
import { learn } from "../learn";
import { addMatmul } from "../matmul";
import { fma, fnma, sigmoid, tanh } from "../simd";
import { Cell } from "./recurrent";
import { trie } from "./trie";

const ZEROS = memory.data(32, 16);

export function lstmForward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4, width = cell.width, part = <usize>(width >> 2) * stride;
  for (let level = 0; level < trie.depth; level++) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    cell.enter(level, first, end);
    addMatmul(cell.gates + at, cell.before + at, cell.weight, end - first, stride, width, 4 * width, 0, 0);
    for (let group: usize = 0; group < part; group += stride)
      for (let row = at; row < (<usize>end) << 4; row += 16) {
        const gate = cell.gates + group + row;
        const i = sigmoid(v128.load(gate)), f = sigmoid(v128.load(gate + part));
        const g = tanh(v128.load(gate + 2 * part)), o = sigmoid(v128.load(gate + 3 * part));
        v128.store(gate, i);
        v128.store(gate + part, f);
        v128.store(gate + 2 * part, g);
        v128.store(gate + 3 * part, o);
        const c = fma(f, before(cell, level, group, row), f32x4.mul(i, g)), t = tanh(c);
        v128.store(cell.a + group + row, c);
        v128.store(cell.b + group + row, t);
        v128.store(cell.h + group + row, f32x4.mul(o, t));
      }
  }
}

export function lstmBackward(cell: Cell): void {
  const stride = (<usize>trie.nodes) << 4, width = cell.width, part = <usize>(width >> 2) * stride;
  const one = f32x4.splat(1);
  memory.fill(cell.c, 0, part);
  cell.startBackward();
  for (let level = trie.depth - 1; level >= 0; level--) {
    const first = trie.levelStart(level), end = trie.levelStart(level + 1), at = (<usize>first) << 4;
    for (let group: usize = 0; group < part; group += stride)
      for (let row = at; row < (<usize>end) << 4; row += 16) {
        const gate = cell.gates + group + row;
        const i = v128.load(gate), f = v128.load(gate + part);
        const g = v128.load(gate + 2 * part), o = v128.load(gate + 3 * part);
        const t = v128.load(cell.b + group + row), od = f32x4.mul(o, v128.load(cell.dh + group + row));
        const d = fma(od, fnma(t, t, one), v128.load(cell.c + group + row));
        v128.store(gate, f32x4.mul(f32x4.mul(d, g), f32x4.mul(i, f32x4.sub(one, i))));
        v128.store(gate + 2 * part, f32x4.mul(f32x4.mul(d, i), fnma(g, g, one)));
        v128.store(gate + 3 * part, f32x4.mul(f32x4.mul(od, t), f32x4.sub(one, o)));
        const fd = f32x4.mul(d, f);
        v128.store(gate + part, f32x4.mul(f32x4.mul(fd, f32x4.sub(one, f)), before(cell, level, group, row)));
        if (level > 0) {
          const parent = cell.c + group + ((<usize>load<u32>(trie.parents + (row >> 2))) << 4);
          v128.store(parent, f32x4.add(v128.load(parent), fd));
        }
      }
    addMatmul(
      cell.beforeGradient + at, cell.gates + at, cell.transposed, end - first, stride, 4 * width, width, ZEROS, 0,
    );
    cell.leave(level, first, end);
  }
  cell.giveInput();
  learn(cell.weight, cell.bytes, cell.transposed, cell.before, cell.gates, trie.nodes, width, 4 * width);
}

/** c of a row's parent. */
// @ts-expect-error: decorator
@inline
function before(cell: Cell, level: i32, group: usize, row: usize): v128 {
  return level > 0
    ? v128.load(cell.a + group + ((<usize>load<u32>(trie.parents + (row >> 2))) << 4))
    : f32x4.splat(0);
}
