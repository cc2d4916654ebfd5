import type { PlainSampleOptions } from "../../src/protocol";
import type { Complete } from "../validation";

/** `sample`'s options with every default filled in. */
export type SampleSettings = Complete<PlainSampleOptions>;
