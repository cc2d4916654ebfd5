/** Copies rows between values. All values are in groups of four channels, [channels / 4][rows][4]. */

/** to[r] = from[ids[r]] for the rows from `first` to `end`. */
export function gather(
  to: usize, toStride: usize, from: usize, fromStride: usize, ids: usize, first: i32, end: i32, groups: i32,
): void {
  for (; groups > 0; groups--, to += toStride, from += fromStride)
    for (let r: usize = first; r < <usize>end; r++)
      v128.store(to + (r << 4), v128.load(from + ((<usize>load<u32>(ids + (r << 2))) << 4)));
}

/** to[ids[r]] += from[r] for the rows from `first` to `end`: the backward pass of `gather`. */
export function scatter(
  to: usize, toStride: usize, from: usize, fromStride: usize, ids: usize, first: i32, end: i32, groups: i32,
): void {
  for (; groups > 0; groups--, to += toStride, from += fromStride)
    for (let r: usize = first; r < <usize>end; r++) {
      const target = to + ((<usize>load<u32>(ids + (r << 2))) << 4);
      v128.store(target, f32x4.add(v128.load(target), v128.load(from + (r << 4))));
    }
}
