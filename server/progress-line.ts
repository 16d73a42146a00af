/** How far a long download is: one line that changes on a terminal, a line now and then elsewhere. */
import { sizeText } from "./sizes.ts";

export interface Advance {
  readonly bytes: number;
  /** Null: not known. */
  readonly totalBytes: number | null;
  readonly what: string;
}

export interface Screen {
  readonly isTerminal: boolean;
  /** Characters in a line. */
  readonly columns: number;
  readonly write: (text: string) => void;
  /** Milliseconds that only rise. */
  readonly nowMs: () => number;
}

const TERMINAL_MS = 100;
const LINE_MS = 5000;
const BAR_CHARACTERS = 20;
/** A rate says little before. */
const RATE_MS_MIN = 500;
const CLEAR_TO_END = "\x1b[K";

export class ProgressLine {
  readonly #screen: Screen;
  readonly #beganMs: number;
  #saidMs: number;
  #isOpen = false;

  constructor(screen: Screen) {
    this.#screen = screen;
    this.#beganMs = screen.nowMs();
    this.#saidMs = this.#beganMs;
  }

  readonly show = (advance: Advance): void => {
    const { isTerminal, columns, write, nowMs } = this.#screen;
    const atMs = nowMs();
    if (atMs - this.#saidMs < (isTerminal ? TERMINAL_MS : LINE_MS)) return;
    this.#saidMs = atMs;
    const text = this.#text(advance, atMs - this.#beganMs);
    if (!isTerminal) return write(`${text}\n`);
    this.#isOpen = true;
    // A longer line would be wrapped, and the next one would not replace it.
    return write(`\r${text.slice(0, Math.max(1, columns - 1))}${CLEAR_TO_END}`);
  };

  /** What is written next begins on a line of its own. */
  end(): void {
    if (this.#isOpen) this.#screen.write(`\r${CLEAR_TO_END}`);
    this.#isOpen = false;
  }

  #text({ bytes, totalBytes, what }: Advance, tookMs: number): string {
    const rate = tookMs < RATE_MS_MIN ? null : (bytes * 1000) / tookMs;
    const speed = rate === null ? "" : `, ${sizeText(Math.round(rate))}/s`;
    if (totalBytes === null) return `${sizeText(bytes)}${speed}: ${what}`;
    const part = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
    const filled = Math.floor(part * BAR_CHARACTERS);
    const bar = "#".repeat(filled) + "-".repeat(BAR_CHARACTERS - filled);
    const left = Math.max(0, totalBytes - bytes);
    const eta = rate === null || rate === 0 ? "" : `, ${Math.ceil(left / rate)} s left`;
    const percent = String(Math.floor(part * 100)).padStart(3);
    return `[${bar}] ${percent} % of ${sizeText(totalBytes)}${speed}${eta}: ${what}`;
  }
}
