/**
 * Asks for the attempts of running invocations, page by page: at the start of the process, and again whenever hints had
 * to be dropped. A page is asked for only when all of it fits, so a scan never causes the loss it is there to repair.
 */
import type { Door } from "../processor/ports.ts";

const PAGE_SIZE_MAX = 500;

export class ReadyScan {
  readonly #door: Pick<Door, "submit">;
  readonly #pageSize: number;
  /** Where the next page begins; null when no scan is under way. */
  #afterSeq: number | null = null;
  #isPageAsked = false;
  #isWanted = false;

  constructor(door: Pick<Door, "submit">, waitingMax: number) {
    this.#door = door;
    this.#pageSize = Math.max(1, Math.min(PAGE_SIZE_MAX, Math.floor(waitingMax / 2)));
  }

  /** A scan from the beginning is needed; it begins once the one under way is through. */
  want(): void {
    this.#isWanted = true;
  }

  /** Goes on as far as there is room for. */
  proceed(room: number): void {
    if (this.#isPageAsked || room < this.#pageSize) return;
    if (this.#afterSeq === null) {
      if (!this.#isWanted) return;
      this.#isWanted = false;
      this.#afterSeq = 0;
    }
    this.#isPageAsked = true;
    this.#door.submit({ type: "fetch-ready", afterSeq: this.#afterSeq, limit: this.#pageSize });
  }

  /** All of a page has been sent; `lastSeq` is null after the last one. */
  pageDone(lastSeq: number | null): void {
    this.#isPageAsked = false;
    this.#afterSeq = lastSeq;
  }
}
