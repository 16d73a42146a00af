/** Pages by number, the newest version of each. */
import { PAGE_BYTES } from "./wal.ts";

const PAGES_AT_FIRST = 64;

export class PageSet {
  /** Where each page stands in `#bytes`. */
  readonly #slots = new Map<number, number>();
  #bytes = new Uint8Array(PAGES_AT_FIRST * PAGE_BYTES);
  #used = 0;

  get size(): number {
    return this.#slots.size;
  }

  /** Copies `page`. */
  put(number: number, page: Uint8Array): void {
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      slot = this.#used;
      this.#used += 1;
      this.#slots.set(number, slot);
      this.#grow();
    }
    this.#bytes.set(page, slot * PAGE_BYTES);
  }

  /** The database became this short. */
  truncate(databasePages: number): void {
    for (const number of this.#slots.keys()) {
      if (number > databasePages) this.#slots.delete(number);
    }
  }

  /** In the order of their numbers. */
  sorted(): { readonly numbers: readonly number[]; readonly pages: Uint8Array } {
    const slots = [...this.#slots].toSorted(([one], [other]) => one - other);
    const pages = new Uint8Array(slots.length * PAGE_BYTES);
    for (const [index, [, slot]] of slots.entries()) {
      const page = this.#bytes.subarray(slot * PAGE_BYTES, (slot + 1) * PAGE_BYTES);
      pages.set(page, index * PAGE_BYTES);
    }
    return { numbers: slots.map(([number]) => number), pages };
  }

  #grow(): void {
    if (this.#used * PAGE_BYTES <= this.#bytes.length) return;
    const bytes = new Uint8Array(this.#bytes.length * 2);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
  }
}
