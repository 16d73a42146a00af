/**
 * The one implementation of the contexts of objects and workflows. What the type of the handler's context does not offer
 * is refused here too: not everyone compiles, and the server would fail attempt after attempt.
 */
import type {
  DurablePromise,
  TypedState,
  UntypedState,
  WorkflowContext,
} from "../define/keyed-context.ts";
import type { Serde } from "../define/serde.ts";
import { LocalState } from "../replay/local-state.ts";
import * as state from "../replay/state-syscalls.ts";
import type { ContextCore } from "./context-core.ts";
import { decodedKeys, decodedState, ownBytes } from "./decode.ts";
import { HandlerContext } from "./handler-context.ts";
import { JournalPromise } from "./journal-promise.ts";
import { WorkflowPromise } from "./workflow-promise.ts";

type Untyped = TypedState & UntypedState;

export class KeyedHandlerContext extends HandlerContext implements WorkflowContext<Untyped> {
  readonly #core: ContextCore;
  #state: LocalState | undefined;

  constructor(core: ContextCore) {
    super(core);
    this.#core = core;
  }

  get key(): string {
    return this.#core.opening.start.key;
  }

  // ---- state ----

  get<T>(name: string, serde: Serde<T> = this.#core.serde()): Promise<T | null> {
    const node = state.getState(this.#core.machine(), this.#local(), name);
    return new JournalPromise(decodedState(node, serde), this.#core.driver);
  }

  stateKeys(): Promise<string[]> {
    const node = state.getStateKeys(this.#core.machine(), this.#local());
    return new JournalPromise(decodedKeys(node), this.#core.driver);
  }

  set<T>(name: string, value: T, serde: Serde<T> = this.#core.serde()): void {
    this.#requireWriter();
    const bytes = ownBytes(serde, serde.serialize(value));
    state.setState(this.#core.machine(), this.#local(), name, bytes);
  }

  clear(name: string): void {
    this.#requireWriter();
    state.clearState(this.#core.machine(), this.#local(), name);
  }

  clearAll(): void {
    this.#requireWriter();
    state.clearAllState(this.#core.machine(), this.#local());
  }

  // ---- promises ----

  promise<T>(name: string, serde: Serde<T> = this.#core.serde()): DurablePromise<T> {
    const { serviceKind, service } = this.#core.served;
    if (serviceKind !== "workflow") {
      throw new Error(`ctx.promise is for workflows, and ${service} is a virtual object`);
    }
    return new WorkflowPromise(this.#core, name, serde);
  }

  /** Made when it is needed first. */
  #local(): LocalState {
    return (this.#state ??= new LocalState(this.#core.opening.start));
  }

  #requireWriter(): void {
    const { kind, service, handler } = this.#core.served;
    if (kind !== "shared") return;
    throw new Error(`${service}/${handler} is a shared handler, which cannot change the state`);
  }
}
