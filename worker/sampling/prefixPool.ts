/**
 * Lends trees of prefixes to the calls of one model; a tree serves one call at a time. The large tree remembers the
 * beginnings of earlier calls. While it is lent, other calls get small ones.
 */
import { delay } from "../../src/slices";
import { Prefixes, type StepSession } from "./prefixes";

/** How often a waiting call checks whether it is stopped or may start, ms. */
const STOP_MS = 20;
/** Most trees lent at once; further sampling calls wait. */
const MOST_LENT = 17;
/** Memory for a small tree, in bytes. */
const SMALL_MEMORY = 2 << 20;

export class PrefixPool {
  readonly #open: () => Promise<StepSession>;
  readonly #memory: number | undefined;
  #large: Prefixes | undefined;
  #isLargeLent = false;
  /** Small trees that are free. */
  readonly #small: Prefixes[] = [];
  #lent = 0;

  /**
   * @param open returns the graph of the trees; called whenever a tree is made
   * @param memory memory for the large tree, in bytes; see `Prefixes`
   */
  constructor(open: () => Promise<StepSession>, memory?: number) {
    this.#open = open;
    this.#memory = memory;
  }

  /** Lends a tree to `work`; undefined if stopped while waiting for one. */
  async use<T>(stopped: () => boolean, work: (prefixes: Prefixes) => Promise<T>): Promise<T | undefined> {
    while (this.#lent >= MOST_LENT) {
      if (stopped()) return undefined;
      await delay(STOP_MS);
    }
    const { prefixes, giveBack } = await this.borrow();
    try {
      return await work(prefixes);
    } finally {
      giveBack();
    }
  }

  /** Lends a tree without waiting until fewer are lent. */
  async borrow(): Promise<{ prefixes: Prefixes; giveBack(): void }> {
    this.#lent++;
    const isLarge = !this.#isLargeLent;
    if (isLarge) this.#isLargeLent = true;
    const end = () => {
      this.#lent--;
      if (isLarge) this.#isLargeLent = false;
    };
    try {
      const free = isLarge ? this.#large : this.#small.pop();
      const prefixes =
        free ?? (await Prefixes.create(await this.#open(), isLarge ? this.#memory : SMALL_MEMORY));
      if (isLarge) this.#large = prefixes;
      const giveBack = () => {
        if (!isLarge) this.#small.push(prefixes);
        end();
      };
      return { prefixes, giveBack };
    } catch (error) {
      end();
      throw error;
    }
  }

  /** Frees all trees. Call it only while none is lent. */
  clear(): void {
    this.#large = undefined;
    this.#small.length = 0;
  }
}
