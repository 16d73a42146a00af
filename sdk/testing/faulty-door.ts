/** The door as attempts see it: where a step is to be its attempt's last, what it says is cut there. */
import { MessageType } from "../protocol/message-type.ts";
import type { RunCommand } from "../protocol/messages.ts";
import type { Input } from "../../server/machine/input.ts";
import type { Door } from "../../server/processor/ports.ts";
import type { Faults } from "./faults.ts";

type ProposeRun = Extract<Input, { type: "propose-run" }>;

interface StepOfJournal {
  readonly name: string;
  readonly ordinal: number;
}

export class FaultyDoor implements Door {
  readonly #door: Door;
  readonly #faults: Faults;
  /** Cuts the attempt that says something just now. */
  readonly #cut: (why: string) => void;
  /** Steps of all attempts, by seq and completion id. */
  readonly #steps = new Map<number, Map<number, StepOfJournal>>();

  constructor(door: Door, faults: Faults, cut: (why: string) => void) {
    this.#door = door;
    this.#faults = faults;
    this.#cut = cut;
  }

  submit(input: Input): void {
    if (input.type === "propose-run") return this.#propose(input);
    if (input.type === "append-command" && input.command.type === MessageType.RunCommand) {
      this.#note(input.attempt.seq, input.command);
    }
    return this.#door.submit(input);
  }

  readonly ask: Door["ask"] = (input, answer) => this.#door.ask(input, answer);
  readonly whenRelieved: Door["whenRelieved"] = (fn) => this.#door.whenRelieved(fn);
  readonly read: Door["read"] = (fn) => this.#door.read(fn);
  readonly readDurable: Door["readDurable"] = (fn) => this.#door.readDurable(fn);

  get isCongested(): boolean {
    return this.#door.isCongested;
  }

  get isDurable(): boolean {
    return this.#door.isDurable;
  }

  #note(seq: number, { name, resultCompletionId }: RunCommand): void {
    const steps = this.#steps.get(seq) ?? new Map<number, StepOfJournal>();
    this.#steps.set(seq, steps);
    steps.set(resultCompletionId, { name, ordinal: steps.size + 1 });
  }

  #propose(input: ProposeRun): void {
    const { seq } = input.attempt;
    const step = this.#steps.get(seq)?.get(input.completionId);
    const target = this.#door.read((reader) => reader.invocation(seq)?.target);
    const crash = step && target && this.#faults.crashOf({ ...target, ...step });
    if (crash === undefined || crash.isRecorded) this.#door.submit(input);
    if (crash !== undefined) this.#cut(`the attempt was cut by ${crash.text}`);
  }
}
