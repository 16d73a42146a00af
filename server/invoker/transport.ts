/** The port to the network: one request and its response, both halves live at once. Declared where it is needed. */
import type { Endpoint } from "./endpoint.ts";

export interface ExchangeRequest<E extends Endpoint = Endpoint> {
  readonly endpoint: E;
  /** With the prefix and query of the endpoint. */
  readonly path: string;
  /** Lower-case names; none that the transport sets itself. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** The body is complete: nothing is written later. */
  readonly bodyComplete: boolean;
}

export interface ResponseHead {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly retryAfter: string | undefined;
  /** `x-restate-server` */
  readonly server?: string | undefined;
}

/** What becomes of an exchange. Never called from within a call of the transport or the exchange. */
export interface ExchangeHandler {
  onHead(head: ResponseHead): void;
  onData(chunk: Uint8Array): void;
  /** The response is complete. */
  onEnd(): void;
  /** After a `write` that returned false: more may be written. */
  onWritable(): void;
  /** The exchange broke; nothing follows but `onClose`. */
  onError(message: string): void;
  /** The exchange holds no resources any more. Called once, and nothing follows. */
  onClose(): void;
}

export interface Exchange {
  /** Takes the bytes in any case; false asks to wait for `onWritable`. */
  write(bytes: Uint8Array): boolean;
  /** Half-close: the request is complete. */
  end(): void;
  /** No more data until `resume`, but for what is on its way: the peer's window fills up. */
  pause(): void;
  resume(): void;
  /** Cuts both halves; only `onClose` follows. */
  reset(): void;
}

export interface Transport<E extends Endpoint = Endpoint> {
  /** Does not throw: what is wrong comes as `onError`. */
  open(request: ExchangeRequest<E>, handler: ExchangeHandler): Exchange;
  /** Closes every connection at once. */
  close(): void;
}
