/**
 * The company's side: who approves what, accounts, groups, seats and mails, in a file with a line for every change. The key of a step
 * tells a repetition: it leaves a line too, but changes nothing, and is answered as the first time.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { TerminalError } from "@holdfast/sdk";

export interface Stage {
  readonly stage: string;
  /** In the order in which they are asked. */
  readonly approvers: readonly string[];
}

interface System {
  readonly stages: readonly Stage[];
  readonly seats: number;
}

const MANAGERS: Stage = { stage: "manager", approvers: ["ana", "ben"] };
const SYSTEMS: ReadonlyMap<string, System> = new Map([
  [
    "warehouse",
    { stages: [MANAGERS, { stage: "owner", approvers: ["cleo", "dan", "eve"] }], seats: 100 },
  ],
  // All seats are taken: for seeing how everything is taken back.
  ["payroll", { stages: [MANAGERS], seats: 0 }],
]);

export interface Mail {
  readonly about: string;
  /** An awakeable: whoever has it can answer. */
  readonly link?: string;
}

/** An account or a group. */
export interface Named {
  readonly name: string;
  /** It was not there before this step. */
  readonly isNew: boolean;
}

export interface Seat {
  readonly number: number;
  readonly isNew: boolean;
}

export type ChangeKind =
  | "mail"
  | "create account"
  | "remove account"
  | "join group"
  | "leave group"
  | "take seat"
  | "free seat";

export interface Change {
  readonly kind: ChangeKind;
  /** A person, or an account. */
  readonly who: string;
  /** A system. */
  readonly where?: string;
  readonly mail?: Mail;
  /** The idempotency key of the step; none where a repetition changes nothing anyway. */
  readonly key?: string;
  readonly isRepeated?: true;
}

export class Directory {
  readonly #file: string;

  /** @param file where the lines go; it need not exist */
  constructor(file: string) {
    this.#file = file;
  }

  stagesFor(system: string): readonly Stage[] {
    return systemOf(system).stages;
  }

  mail(who: string, mail: Mail, key: string): void {
    this.#once({ kind: "mail", who, mail, key });
  }

  createAccount(person: string, key: string): Named {
    const name = person.toLowerCase();
    return { name, isNew: this.#add("create account", this.accounts(), key, name) };
  }

  removeAccount(name: string): void {
    if (this.accounts().includes(name)) this.#append({ kind: "remove account", who: name });
  }

  joinGroup(who: string, system: string, key: string): Named {
    const isNew = this.#add("join group", this.members(system), key, who, system);
    return { name: `${system}-users`, isNew };
  }

  leaveGroup(who: string, where: string): void {
    if (this.members(where).includes(who)) this.#append({ kind: "leave group", who, where });
  }

  takeSeat(who: string, system: string, key: string): Seat {
    const taken = this.seated(system);
    if (!taken.includes(who) && taken.length >= systemOf(system).seats) {
      throw new TerminalError(`no seat left in ${system}`, { errorCode: 409 });
    }
    const isNew = this.#add("take seat", taken, key, who, system);
    return { number: this.seated(system).indexOf(who) + 1, isNew };
  }

  freeSeat(who: string, where: string): void {
    if (this.seated(where).includes(who)) this.#append({ kind: "free seat", who, where });
  }

  accounts(): string[] {
    return this.#standing("create account", "remove account");
  }

  members(system: string): string[] {
    return this.#standing("join group", "leave group", system);
  }

  seated(system: string): string[] {
    return this.#standing("take seat", "free seat", system);
  }

  mailsTo(who: string): Mail[] {
    return this.changes().flatMap((change) =>
      change.who === who && change.mail !== undefined && !change.isRepeated ? [change.mail] : [],
    );
  }

  /** A line for every execution, in their order. */
  changes(): Change[] {
    if (!existsSync(this.#file)) return [];
    const lines = readFileSync(this.#file, "utf8").split("\n");
    return lines.filter((line) => line !== "").map((line): Change => JSON.parse(line));
  }

  /** Who came and has not left since. */
  #standing(came: ChangeKind, left: ChangeKind, system?: string): string[] {
    const standing = new Set<string>();
    for (const { kind, who, where, isRepeated } of this.changes()) {
      if (where !== system || isRepeated) continue;
      if (kind === came) standing.add(who);
      if (kind === left) standing.delete(who);
    }
    return [...standing];
  }

  /** Adds who is not among `present`; returns whether this step did, now or when it was executed before. */
  #add(kind: ChangeKind, present: readonly string[], key: string, who: string, system?: string) {
    const isNew = !present.includes(who) || !this.#isFirst(key);
    const where = system === undefined ? {} : { where: system };
    if (isNew) this.#once({ kind, who, ...where, key });
    return isNew;
  }

  #isFirst(key: string): boolean {
    return !this.changes().some((change) => change.key === key);
  }

  #once(change: Change & { readonly key: string }): void {
    this.#append(this.#isFirst(change.key) ? change : { ...change, isRepeated: true });
  }

  #append(change: Change): void {
    appendFileSync(this.#file, `${JSON.stringify(change)}\n`);
  }
}

function systemOf(name: string): System {
  const system = SYSTEMS.get(name);
  if (system !== undefined) return system;
  throw new TerminalError(`there is no system ${name}`, { errorCode: 404 });
}
