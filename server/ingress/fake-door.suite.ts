/** A door for the tests of the ingress: remembers what it is given, answers as told, reads what it is told is there. */
import type { ManifestHandler, ManifestService } from "../../sdk/protocol/manifest.ts";
import { deploymentOf } from "../machine/deployment.suite.ts";
import type { Reply } from "../machine/effect.ts";
import type { Input } from "../machine/input.ts";
import type { Invocation } from "../machine/invocation.ts";
import {
  type Deployment,
  EMPTY_REGISTRY,
  type Registry,
  withDeployment,
} from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door } from "../processor/ports.ts";

export class FakeDoor implements Door {
  isCongested = false;
  isDurable = true;
  readonly #relieved: (() => void)[] = [];

  whenRelieved(fn: () => void): void {
    this.#relieved.push(fn);
  }

  relieve(): void {
    for (const fn of this.#relieved.splice(0)) fn();
  }

  readonly inputs: Input[] = [];
  registry: Registry = EMPTY_REGISTRY;
  invocations: readonly Invocation[] = [];
  /** What a question is answered with, in a later turn; null for never. */
  reply: (input: Input) => Reply | null = () => null;

  readonly #reader: Reader = {
    registry: () => this.registry,
    invocation: (seq) => this.invocations.find((each) => each.seq === seq),
    findInvocation: (id) => this.invocations.find((each) => Buffer.compare(each.id, id) === 0),
    entries: () => [],
    entriesOfType: () => [],
    events: () => [],
    nextDueMs: () => undefined,
    running: () => [],
    isPinned: () => false,
    state: () => ({ entries: [], isComplete: true }),
    stateValue: () => undefined,
    stateNames: () => [],
    lockHolder: () => undefined,
    queue: () => [],
    promise: () => undefined,
  };

  submit(input: Input): void {
    this.inputs.push(input);
    if (input.type === "register-deployment") {
      this.registry = withDeployment(this.registry, input.deployment).registry;
    }
  }

  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void {
    const asked = input(this.inputs.length);
    this.submit(asked);
    const reply = this.reply(asked);
    if (reply !== null) setImmediate(answer, reply);
  }

  read<T>(fn: (reader: Reader) => T): T {
    return fn(this.#reader);
  }

  async readDurable<T>(fn: (reader: Reader) => T): Promise<T> {
    return this.read(fn);
  }

  register(...services: readonly ManifestService[]): void {
    this.registry = withDeployment(this.registry, testDeployment(services)).registry;
  }

  /** The inputs of one type, in order. */
  of<T extends Input["type"]>(type: T): Extract<Input, { type: T }>[] {
    return this.inputs.filter((input): input is Extract<Input, { type: T }> => input.type === type);
  }
}

export function testDeployment(
  services: readonly ManifestService[],
  fields: Partial<Deployment> = {},
): Deployment {
  return deploymentOf(1_795_418_772_060, services, {
    id: "dp_10000000000000000000001",
    uri: "http://127.0.0.1:9080/",
    sdkVersion: "test/1.0.0",
    ...fields,
  });
}

export function service(
  name: string,
  handlers: readonly ManifestHandler[],
  fields: Partial<ManifestService> = {},
): ManifestService {
  return { name, ty: "SERVICE", handlers, ...fields };
}
