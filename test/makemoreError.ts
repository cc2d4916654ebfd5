import { expect } from "vitest";
import type { MakemoreErrorCode } from "../src/errors";

/** Matches a `MakemoreError` with this code and this message; a string is a part of the message. */
export function makemoreError(code: MakemoreErrorCode, message: string | RegExp): unknown {
  return expect.objectContaining({
    name: "MakemoreError",
    code,
    message: typeof message === "string" ? expect.stringContaining(message) : expect.stringMatching(message),
  });
}
