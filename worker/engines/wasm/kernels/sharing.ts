/**
 * Finds the rows of a level: places in the minibatch that read the same characters share one row.
 *
 * This takes two passes. A level with fold f has f slots, one per joined neighbour. First, each slot
 * numbers the rows below that occur in it 0, 1, 2, … in order of appearance: those are the rows of
 * its matrix product. Then places with equal numbers in all slots become one row of this level. The
 * batch determines the order of appearance, so the same batch always gives the same sums.
 */
import { allocate } from "./memory";
import { Rows } from "./rows";

/** Number of the current pass over a table; entries of earlier passes are stale, so no table is cleared. */
let pass: u32 = 0;

export class Sharing {
  /** Number of rows of each slot, u32 [fold]. */
  readonly slotCounts: usize;
  /** For each row of a slot, its row in the level below, u32 [fold, places]. */
  readonly taken: usize;
  /** For each row of the level, its row in each slot, u32 [fold, places]. */
  readonly parts: usize;
  /** For each row of the level, the number of places that share it, f32 [places]. */
  readonly shares: usize;
  /** Hash table of rows (open addressing): pass and row, u32 [2 * slots], at most half full. */
  private readonly table: usize;
  private readonly tableMask: u32;

  constructor(
    readonly fold: i32,
    readonly places: i32,
    readonly batchSize: i32,
  ) {
    this.slotCounts = allocate(fold);
    this.taken = allocate(<u64>fold * places);
    this.parts = allocate(<u64>fold * places);
    this.shares = allocate(places);
    this.tableMask = (2 << (32 - clz(places))) - 1;
    this.table = allocate(2 * (<u64>this.tableMask + 1));
  }

  /** Ids of the rows below that slot j takes, u32 [slotCount(j)]. */
  takenBy(slot: i32): usize {
    return this.taken + ((<usize>(slot * this.places)) << 2);
  }

  /** For each row of the level, its row in slot j. */
  partsOf(slot: i32): usize {
    return this.parts + ((<usize>(slot * this.places)) << 2);
  }

  slotCount(slot: i32): i32 {
    return load<i32>(this.slotCounts + ((<usize>slot) << 2));
  }

  /** Finds the rows of `rows`; each of its places joins `fold` places of `below`. */
  find(below: Rows, rows: Rows): void {
    for (let slot = 0; slot < this.fold; slot++) this.numberSlot(below, slot);
    this.numberRows(rows);
  }

  private numberSlot(below: Rows, slot: i32): void {
    const taken = this.takenBy(slot),
      parts = this.partsOf(slot);
    const positions = this.places / this.batchSize;
    const blockBytes = (<usize>this.batchSize) << 2;
    let count: u32 = 0,
      part = parts;
    pass++;
    for (let position = 0; position < positions; position++) {
      const start = below.at + <usize>(position * this.fold + slot) * blockBytes;
      for (let at = start; at < start + blockBytes; at += 4, part += 4) {
        const id = load<u32>(at),
          entry = below.seen + ((<usize>id) << 3);
        if (load<u32>(entry) != pass) {
          store<u32>(entry, pass);
          store<u32>(entry, count, 4);
          store<u32>(taken + ((<usize>count) << 2), id);
          count++;
        }
        store<u32>(part, load<u32>(entry, 4));
      }
    }
    store<u32>(this.slotCounts + ((<usize>slot) << 2), count);
  }

  /** Finds distinct columns of `parts`, which has one column per place, and moves them to the front. */
  private numberRows(rows: Rows): void {
    const stride = (<usize>this.places) << 2,
      end = this.parts + stride * <usize>this.fold;
    let count: u32 = 0;
    pass++;
    for (let place: usize = 0; place < stride; place += 4) {
      let hash: u32 = 0;
      for (let part = this.parts + place; part < end; part += stride)
        hash = (hash ^ load<u32>(part)) * 0x9e3779b1;
      let probe = (hash ^ (hash >> 15)) & this.tableMask;
      let row = count;
      for (; load<u32>(this.table + ((<usize>probe) << 3)) == pass; probe = (probe + 1) & this.tableMask) {
        const candidate = load<u32>(this.table + ((<usize>probe) << 3), 4);
        if (this.sameParts((<usize>candidate) << 2, place)) {
          row = candidate;
          break;
        }
      }
      const share = this.shares + ((<usize>row) << 2);
      if (row == count) {
        store<u32>(this.table + ((<usize>probe) << 3), pass);
        store<u32>(this.table + ((<usize>probe) << 3), row, 4);
        for (let slot: usize = 0; slot < stride * <usize>this.fold; slot += stride)
          store<u32>(this.parts + slot + ((<usize>row) << 2), load<u32>(this.parts + slot + place));
        store<f32>(share, 1);
        count++;
      } else {
        store<f32>(share, load<f32>(share) + 1);
      }
      store<u32>(rows.at + place, row);
    }
    rows.resize(count);
  }

  private sameParts(a: usize, b: usize): bool {
    const stride = (<usize>this.places) << 2,
      end = this.parts + stride * <usize>this.fold;
    for (let part = this.parts; part < end; part += stride)
      if (load<u32>(part + a) != load<u32>(part + b)) return false;
    return true;
  }
}
