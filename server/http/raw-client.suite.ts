/** A client without manners, for tests: sends any bytes, reads what comes back. */
import { connect, type Socket } from "node:net";

const GIVE_UP_MS = 15_000;

export class RawClient {
  readonly socket: Socket;
  /** All that came back so far. */
  received = "";
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (text: string) => {
      this.received += text;
    });
    socket.on("error", () => {});
    socket.setTimeout(GIVE_UP_MS, () => socket.destroy());
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawClient(socket);
  }

  send(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Resolves when the text has come back. */
  async until(text: string): Promise<void> {
    await eventually(() => this.received.includes(text), `${JSON.stringify(text)} comes back`);
  }
}

/** Waits until it is true; rejects when that takes too long. */
export async function eventually(isTrue: () => boolean, what: string): Promise<void> {
  const giveUpMs = Date.now() + GIVE_UP_MS;
  while (!isTrue()) {
    if (Date.now() > giveUpMs) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Sends the bytes and returns all that comes back until the server closes the connection. */
export async function exchange(port: number, bytes: string | Uint8Array): Promise<string> {
  const client = await RawClient.open(port);
  client.send(bytes);
  await client.closed;
  return client.received;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/** The first answer in what came back. */
export function parseAnswer(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [line = "", ...fields] = head.split("\r\n");
  const headers = new Map(
    fields.map((field) => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
    }),
  );
  const length = Number(headers.get("content-length") ?? "NaN");
  const tail = rest.join("\r\n\r\n");
  const body = Number.isNaN(length) ? tail : tail.slice(0, length);
  return { status: Number(line.split(" ")[1]), headers, body };
}

/** The fields of an error document; empty when the body is none. */
export function reasonOf(answer: { readonly body: string }): string {
  const document: unknown = JSON.parse(answer.body);
  if (typeof document !== "object" || document === null || !("reason" in document)) return "";
  return String(document.reason);
}
