import type { EngineFacts } from "../engine";

/** Automatic differentiation: it trains whatever there is, on what tfjs finds. */
export const tfjs: EngineFacts = { backend: "tfjs", rank: 0, refuses: () => undefined };
