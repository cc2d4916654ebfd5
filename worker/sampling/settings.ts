import type { PlainSampleOptions } from "../../src/protocol";

/** `sample`'s options with every default filled in. */
export type SampleSettings = Required<PlainSampleOptions>;
