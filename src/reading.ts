import { MakemoreError, type MakemoreErrorCode } from "./errors";

/**
 * Reads what a caller gave, which may be a proxy or have getters of its own that throw.
 *
 * @param what is read, for the message
 * @throws MakemoreError with `code` and the cause, or what `read` refuses it with
 */
export function reading<T>(code: MakemoreErrorCode, what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof MakemoreError) throw cause;
    throw new MakemoreError(
      code,
      `${what} cannot be read, because a getter or proxy throws; give plain data.`,
      { cause },
    );
  }
}
