import { runToEnd, type Work } from "../../src/slices";

/**
 * CRC-32 (ISO 3309, polynomial 0xEDB88320, as in zip and png). It detects accidental damage. It does not protect against
 * forged files, and need not, because everything that is read from a file is checked.
 */
export function crc32(bytes: Uint8Array): number {
  return runToEnd(crc32Work(bytes));
}

/** Bytes between two yields: about a millisecond. */
const BLOCK = 1 << 18;

/** Same as `crc32`, in slices, because a file may have 600 MB. */
export function* crc32Work(bytes: Uint8Array): Work<number> {
  let crc = 0xffffffff;
  for (let from = 0; from < bytes.length; from += BLOCK) {
    crc = advance(crc, bytes.subarray(from, from + BLOCK));
    yield;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function advance(start: number, bytes: Uint8Array): number {
  let crc = start;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return crc;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});
