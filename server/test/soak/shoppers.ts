/** Callers, each with one order at a time: places it, pays for it, waits for the receipt, asks again until it is told so. */
import { deepEqual } from "node:assert/strict";
import type { Ledger } from "./ledger.ts";

export interface Street {
  /** Of the server that is current: it may change. */
  readonly ingress: () => string;
  /** Of the shop, whose endpoint may be away for a moment. */
  readonly orders: string;
  /** While closed, nobody begins a request. */
  readonly gate: () => Promise<void>;
}

export interface ShopperOptions {
  readonly street: Street;
  readonly ledger: Ledger;
  readonly random: () => number;
  readonly shoppers: number;
}

/** Longer than a server is paused: its late answers count. */
const REQUEST_TIMEOUT_MS = 20_000;
const AGAIN_MS = 50;
const PAUSE_MS_MAX = 200;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The ground moved: what was acknowledged may be lost, and the order is gone through again. */
const AGAIN = Symbol("again");
type OrAgain<T> = T | typeof AGAIN;

export class Shoppers {
  readonly #options: ShopperOptions;
  readonly #open = new Set<string>();
  #nextOrder = 0;
  #isClosing = false;
  #isAbandoned = false;
  #all: Promise<unknown> = Promise.resolve();
  completed = 0;

  constructor(options: ShopperOptions) {
    this.#options = options;
  }

  start(): void {
    const each = Array.from({ length: this.#options.shoppers }, () => this.#shop());
    this.#all = Promise.all(each);
    this.#all.catch(() => {});
  }

  /** Resolves when every order that was begun is completed. Rejects with those that are not by then. */
  async finish(timeoutMs: number): Promise<void> {
    this.#isClosing = true;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const finished = await Promise.race([this.#all.then(() => true), timeout]);
    clearTimeout(timer);
    if (!finished) throw new Error(`orders that never end: ${[...this.#open].join(", ")}`);
  }

  /** Leaves every order as it is. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await this.#all.catch(() => {});
  }

  async #shop(): Promise<void> {
    const { random } = this.#options;
    while (!this.#isClosing && !this.#isAbandoned) {
      const index = this.#nextOrder++;
      this.#open.add(`order-${index}`);
      while ((await this.#order(index)) === AGAIN) await this.#again();
      this.#open.delete(`order-${index}`);
      this.completed += 1;
      await pause(random() * PAUSE_MS_MAX);
    }
  }

  async #order(index: number): Promise<OrAgain<void>> {
    const { ledger } = this.#options;
    const orderId = `order-${index}`;
    const { era } = ledger;
    const invocationId = await this.#place(index);
    ledger.acknowledge(orderId, "placed");
    if ((await this.#pay(orderId, era)) === AGAIN) return AGAIN;
    ledger.acknowledge(orderId, "paid");
    const receipt = await this.#receipt(orderId, invocationId, era);
    if (receipt === AGAIN) return AGAIN;
    ledger.acknowledge(orderId, "done");
    try {
      deepEqual(receipt, {
        orderId,
        amountCents: 1000 + index,
        paymentReference: `pay-${orderId}`,
        trackingCode: `parcel-${orderId}`,
      });
    } catch {
      ledger.breach(`${orderId} has a wrong result: ${JSON.stringify(receipt)}`);
    }
    return undefined;
  }

  async #place(index: number): Promise<string> {
    const body = {
      orderId: `order-${index}`,
      sku: "book",
      quantity: 1,
      amountCents: 1000 + index,
    };
    for (;;) {
      const path = "/Checkout/place/send";
      const answer = await this.#ask(path, { body, key: `checkout-${index}` });
      if (answer?.status === 202) return (JSON.parse(answer.text) as Accepted).invocationId;
      await this.#again();
    }
  }

  /** As the payment provider: finds the awakeable in the shop, and resolves it. */
  async #pay(orderId: string, era: number): Promise<OrAgain<void>> {
    const { ledger, street } = this.#options;
    while (ledger.era === era) {
      const awakeable = await fetchText(`${street.orders}/orders/${orderId}/awakeable`, {});
      if (awakeable?.status === 200) {
        const body = { status: "paid", reference: `pay-${orderId}` };
        const path = `/restate/awakeables/${awakeable.text}/resolve`;
        if ((await this.#ask(path, { body }))?.status === 202) return undefined;
      }
      await this.#again();
    }
    return AGAIN;
  }

  async #receipt(orderId: string, invocationId: string, era: number): Promise<OrAgain<unknown>> {
    const { ledger } = this.#options;
    while (ledger.era === era) {
      const answer = await this.#ask(`/restate/invocation/${invocationId}/attach`);
      if (answer?.status === 200) return JSON.parse(answer.text);
      if (answer?.status === 404 && ledger.era === era) {
        ledger.breach(`${orderId} was accepted, and is unknown: ${answer.text}`);
        return AGAIN;
      }
      await this.#again();
    }
    return AGAIN;
  }

  async #again(): Promise<void> {
    await pause(AGAIN_MS);
    if (this.#isAbandoned) throw new Error("abandoned");
  }

  /** Null where there is no answer. */
  async #ask(path: string, { body, key }: Request = {}): Promise<Answer | null> {
    const { street } = this.#options;
    await street.gate();
    const headers: Record<string, string> = { "content-type": "application/json" };
    if (key !== undefined) headers["idempotency-key"] = key;
    const post = { method: "POST", headers, body: JSON.stringify(body) };
    return await fetchText(`${street.ingress()}${path}`, body === undefined ? {} : post);
  }
}

interface Accepted {
  readonly invocationId: string;
}

interface Request {
  readonly body?: object;
  readonly key?: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

async function fetchText(url: string, init: RequestInit): Promise<Answer | null> {
  try {
    const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) });
    return { status: answer.status, text: await answer.text() };
  } catch {
    return null;
  }
}
