/** The commands of the replay that the handler has not reached yet, in order, with their places in the journal. */
import type { Command } from "../protocol/messages.ts";

export interface RecordedCommand {
  readonly command: Command;
  /** Position among all entries; Input is 0. */
  readonly entryIndex: number;
}

export class RecordedCommands {
  readonly #commands: RecordedCommand[] = [];
  #taken = 0;

  get size(): number {
    return this.#commands.length - this.#taken;
  }

  push(command: Command, entryIndex: number): void {
    this.#commands.push({ command, entryIndex });
  }

  /** Only while `size` is above 0. */
  get next(): RecordedCommand {
    const next = this.#commands[this.#taken];
    if (next === undefined) throw new RangeError("no recorded command is left");
    return next;
  }

  /** Only while `size` is above 0. */
  take(): RecordedCommand {
    const { next } = this;
    this.#taken += 1;
    return next;
  }
}
