/** Memory is laid out once, when the engine is made, and never given back or grown. */

/** Room for `count` numbers of four bytes, zeroed, on a cache line of its own. */
export function allocate(count: u64): usize {
  const bytes = (count << 2) + 64;
  if (bytes > 0xf0000000) unreachable();
  return (heap.alloc(<usize>bytes) + 63) & ~63;
}

/** Rows as matmul.ts tiles them: an even number, at least 4; without fused multiply-add a multiple of 4. */
export function padRows(n: i32): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? max(4, (n + 1) & ~1) : (n + 3) & ~3;
}

/** The next multiple of 8. */
export function padTo8(n: i32): i32 {
  return (n + 7) & ~7;
}
