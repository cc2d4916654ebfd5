/** Memory is allocated once, when the engine is made, and never freed or grown after that. */

/** Allocates `count` numbers of four bytes, zeroed and aligned to a cache line. */
export function allocate(count: u64): usize {
  const bytes = (count << 2) + 64;
  if (bytes > 0xf0000000) unreachable();
  return (heap.alloc(<usize>bytes) + 63) & ~63;
}

/** Pads rows for matmul.ts: to an even number, at least 4; without fused multiply-add, to a multiple of 4. */
export function padRows(n: i32): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? max(4, (n + 1) & ~1) : (n + 3) & ~3;
}

/** The next multiple of 8. */
export function padTo8(n: i32): i32 {
  return (n + 7) & ~7;
}
