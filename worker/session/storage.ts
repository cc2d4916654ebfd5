/**
 * Saves models by name in IndexedDB. A saved model is two records, written in one transaction, so that a
 * reader never sees parts of two saves:
 *
 *     infos    the entries of `Makemore.saved()`, so that listing reads no model
 *     models   the .onnx file with its training state, and the words of each split as ids of its vocabulary
 *
 * Each call opens the database and closes it at the end, so that no tab blocks another.
 */
import { type DBSchema, type IDBPDatabase, type IDBPObjectStore, openDB, type StoreNames } from "idb";
import { MakemoreError } from "../../src/errors";
import { formatValue } from "../../src/formatValue";
import { inSlices } from "../../src/slices";
import type { SavedModel } from "../../src/types";
import type { Dataset } from "../data/dataset";
import { fingerprintWork } from "../data/fingerprint";
import { readWork } from "../onnx/read";
import { writeWork } from "../onnx/write";
import type { Checkpoint } from "../training/checkpoint";
import { modelInfo } from "../training/modelInfo";

const DATABASE = "makemore-web";
/** Version of the database's schema. */
const DATABASE_VERSION = 1;
/** Version of a record in `models`. `openModel` reads this one and all earlier ones. */
const RECORD_VERSION = 1;

interface ModelRecord {
  readonly version: number;
  readonly onnx: Uint8Array<ArrayBuffer>;
  /** Absent for a model that was loaded without words. */
  readonly words?: Omit<Dataset, "vocabulary"> | undefined;
}

interface Stores extends DBSchema {
  infos: { key: string; value: SavedModel };
  models: { key: string; value: ModelRecord };
}

/** A model, and the words that it learned from, if known. */
export interface ModelAndWords {
  readonly checkpoint: Checkpoint;
  readonly dataset: Dataset | undefined;
}

/**
 * Saves a model under a name, and replaces the model saved under it before.
 *
 * @param call method name, for messages
 * @throws MakemoreError `STORAGE_FAILED`; the previous model of this name is then unchanged. The signal's reason when it
 *   aborts
 */
export async function saveModel(
  call: string,
  name: string,
  { checkpoint, dataset }: ModelAndWords,
  signal?: AbortSignal,
): Promise<void> {
  const onnx = await inSlices(writeWork(checkpoint, { trainingState: true }), signal);
  const words = dataset && withoutVocabulary(dataset);
  const { step, steps, parameters } = modelInfo(checkpoint);
  const info = {
    name,
    date: new Date(),
    words: words?.stats.count ?? 0,
    parameters,
    step,
    steps,
    bytes: [onnx, words?.train, words?.validation, words?.test].reduce(
      (sum, array) => sum + (array?.byteLength ?? 0),
      0,
    ),
  };
  await withDatabase(call, async (database) => {
    // Aborted while the database was opened.
    if (signal?.aborted) return;
    await inTransaction(database, (infos, models) => [
      () => infos.put(info, name),
      () => models.put({ version: RECORD_VERSION, onnx, words }, name),
    ]);
  });
  signal?.throwIfAborted();
}

/**
 * Reads the model saved under a name.
 *
 * @throws MakemoreError `NOT_SAVED` if there is none, `UNSUPPORTED` if a later version of this package saved it,
 *   `INVALID_ONNX` if it is damaged, `STORAGE_FAILED`
 */
export async function openModel(name: string, signal: AbortSignal): Promise<ModelAndWords> {
  const record = await withDatabase("open", (database) => database.get("models", name));
  if (!record)
    throw new MakemoreError(
      "NOT_SAVED",
      `open: no model is saved as ${formatValue(name)} on this origin; Makemore.saved() lists those that are.`,
    );
  const { version, onnx, words } = record;
  if (version > RECORD_VERSION) throw isNewer("open", `${formatValue(name)} was saved`);
  const checkpoint = await inSlices(readWork(onnx), signal);
  if (!words) return { checkpoint, dataset: undefined };
  const dataset = { vocabulary: checkpoint.vocabulary, ...words };
  const { order } = await inSlices(fingerprintWork(dataset), signal);
  if (order !== checkpoint.words?.order)
    throw new MakemoreError(
      "INVALID_ONNX",
      `open: the words saved with ${formatValue(name)} are not those of the model; Makemore.remove(${formatValue(name)}) removes both.`,
    );
  return { checkpoint, dataset };
}

/**
 * Lists the saved models, sorted by name.
 *
 * @throws MakemoreError `STORAGE_FAILED`
 */
export function savedModels(): Promise<SavedModel[]> {
  return withDatabase("saved", (database) => database.getAll("infos"));
}

/**
 * Removes the model saved under a name, and its words.
 *
 * @returns whether there was one
 * @throws MakemoreError `STORAGE_FAILED`
 */
export function removeModel(name: string): Promise<boolean> {
  return withDatabase("remove", async (database) => {
    const [found] = await inTransaction<unknown>(database, (infos, models) => [
      () => infos.getKey(name),
      () => infos.delete(name),
      () => models.delete(name),
    ]);
    return found !== undefined;
  });
}

function withoutVocabulary({ vocabulary: _, ...words }: Dataset): Omit<Dataset, "vocabulary"> {
  return words;
}

const storeNames: StoreNames<Stores>[] = ["infos", "models"];

type Store<Name extends StoreNames<Stores>> = IDBPObjectStore<Stores, typeof storeNames, Name, "readwrite">;

/**
 * Makes requests of both stores, of which either all take effect or none.
 *
 * @param requests functions, because a request may throw while others are running
 * @throws the browser's reason, if it aborts the transaction
 */
async function inTransaction<T>(
  database: IDBPDatabase<Stores>,
  requests: (infos: Store<"infos">, models: Store<"models">) => (() => Promise<T>)[],
): Promise<T[]> {
  const transaction = database.transaction(storeNames, "readwrite");
  try {
    const made = requests(transaction.objectStore("infos"), transaction.objectStore("models"));
    const results = await Promise.all(made.map(async (request) => request()));
    await transaction.done;
    return results;
  } catch (error) {
    transaction.done.catch(() => {});
    try {
      transaction.abort();
    } catch {
      // The browser has aborted it.
    }
    // A request only knows that its transaction is aborted.
    throw transaction.error ?? error;
  }
}

async function withDatabase<T>(
  call: string,
  use: (database: IDBPDatabase<Stores>) => Promise<T>,
): Promise<T> {
  let database: IDBPDatabase<Stores> | undefined;
  try {
    database = await openDB<Stores>(DATABASE, DATABASE_VERSION, {
      upgrade(created) {
        created.createObjectStore("infos");
        created.createObjectStore("models");
      },
    });
    return await use(database);
  } catch (cause) {
    const name = cause instanceof Error || cause instanceof DOMException ? cause.name : "";
    if (name === "VersionError") throw isNewer(call, "the saved models are");
    const why =
      name === "QuotaExceededError"
        ? `there is no room left for it (${cause}); remove a saved model, or free disk space`
        : `the browser refuses to store anything here (${cause}), as in some private windows, in sandboxed frames and where cookies are blocked; exportONNX gives the model as a file`;
    throw new MakemoreError("STORAGE_FAILED", `${call}: ${why}.`, { cause });
  } finally {
    database?.close();
  }
}

function isNewer(call: string, what: string): MakemoreError {
  return new MakemoreError(
    "UNSUPPORTED",
    `${call}: ${what} by a later version of makemore-web than this page has; load the newest version of the page.`,
  );
}
