import { expect, test } from "vitest";
import { randomBelow, randomBits, randomNormal, Stream, seedNumber } from "../../worker/data/random";

/** pcg4d as published, in exact integers: the reference for the 32-bit version. */
function pcg4d(seed: number, stream: number, step: number, index: number): number {
  const mask = 0xffffffffn;
  let [x, y, z, w] = [seed, stream, step, index].map((v) => (BigInt(v) * 1664525n + 1013904223n) & mask) as [
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  x = (x + y * w) & mask;
  y = (y + z * x) & mask;
  z = (z + x * y) & mask;
  w = (w + y * z) & mask;
  [x, y, z, w] = [x ^ (x >> 16n), y ^ (y >> 16n), z ^ (z >> 16n), w ^ (w >> 16n)];
  return Number((x + y * w) & mask);
}

// The authors' own test vectors: http://www.isthe.com/chongo/src/fnv/test_fnv.c
test.each([
  ["", 0x811c9dc5],
  ["a", 0xe40c292c],
  ["b", 0xe70c2de5],
  ["foo", 0xa9f37ed7],
  ["foobar", 0xbf9cf968],
])("the seed %j is its 32-bit FNV-1a hash", (text, hash) => {
  expect(seedNumber(text)).toBe(hash);
});

test("a string seed is normalised to NFC, and a number stays the same", () => {
  expect(seedNumber("\u00e9")).toBe(seedNumber("e\u0301"));
  expect(seedNumber(4_294_967_295)).toBe(4_294_967_295);
});

test("randomBits is pcg4d's first output", () => {
  for (const key of [
    [0, 0, 0, 0],
    [42, Stream.minibatch, 0, 31],
    [4294967295, 3, 199_999, 63],
    [7, 1, 4294967295, 123_456_789],
  ] as [number, number, number, number][])
    expect(randomBits(...key)).toBe(pcg4d(...key));
});

test("randomBelow is the high word of the 64-bit product", () => {
  for (const bits of [0, 1, 65_535, 65_536, 2_147_483_648, 4_294_967_295])
    for (const n of [1, 2, 27, 65_536, 182_625, 228_145, 4_000_000_000])
      expect(randomBelow(bits, n)).toBe(Number((BigInt(bits) * BigInt(n)) >> 32n));
});

test("minibatch draws are uniform: chi-square over 27 cells stays below its 0.1 % point", () => {
  const cells = new Array<number>(27).fill(0);
  const draws = 27_000;
  for (let i = 0; i < draws; i++) {
    const cell = randomBelow(randomBits(42, Stream.minibatch, i >> 5, i & 31), 27);
    cells[cell] = (cells[cell] ?? 0) + 1;
  }
  const expected = draws / 27;
  const chiSquare = cells.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
  // 26 degrees of freedom: P(chi-square > 54.05) = 0.001. The draws are fixed, so this is not flaky.
  expect(chiSquare).toBeLessThan(54.05);
});

test("randomNormal has mean 0 and variance 1, and differs by seed and by parameter", () => {
  const n = 100_000;
  const values = randomNormal(42, 0, n);
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
  // Four standard errors: 1 / sqrt(n) for the mean, sqrt(2 / n) for the variance.
  expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n));
  expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
  expect(randomNormal(42, 1, 4)).not.toEqual(randomNormal(42, 0, 4));
  expect(randomNormal(43, 0, 4)).not.toEqual(randomNormal(42, 0, 4));
});
