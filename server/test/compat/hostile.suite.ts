/** Endpoints that answer whatever a test wants them to, over HTTP/2 without an SDK. */
import http2 from "node:http2";
import { encodeFrame, FrameDecoder } from "../../../sdk/protocol/frame.ts";
import { encodeMessage } from "../../../sdk/protocol/codec.ts";
import { MessageType } from "../../../sdk/protocol/message-type.ts";
import type { Message } from "../../../sdk/protocol/messages.ts";
import { type Endpoint, listen } from "../endpoint.ts";

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const MESSAGE_BYTES_MAX = 1024 * 1024;

/** One attempt as the endpoint sees it. `number` counts from 1. */
export interface Attempt {
  readonly stream: http2.ServerHttp2Stream;
  readonly contentType: string;
  readonly number: number;
  /** The types of the messages that came so far. */
  readonly received: readonly number[];
  /** Answers 200 with the right content type, writes these messages or bytes, and ends the body unless told otherwise. */
  readonly answer: (parts: readonly (Message | Uint8Array)[], isOpen?: boolean) => void;
}

export type Behaviour = (attempt: Attempt) => void;

export interface Manifested {
  readonly name: string;
  readonly ty?: "SERVICE" | "VIRTUAL_OBJECT";
  readonly options?: object;
  readonly maxProtocolVersion?: number;
}

/** An endpoint of one service with the handler `run`. */
export async function hostile(
  { name, ty = "SERVICE", options = {}, maxProtocolVersion = 6 }: Manifested,
  behave: Behaviour,
): Promise<Endpoint> {
  const manifest = JSON.stringify({
    protocolMode: "BIDI_STREAM",
    minProtocolVersion: 5,
    maxProtocolVersion,
    services: [{ name, ty, handlers: [{ name: "run" }], ...options }],
  });
  let number = 0;
  const server = http2.createServer();
  server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const frames = new FrameDecoder(MESSAGE_BYTES_MAX);
    const received: number[] = [];
    stream.on("data", (chunk: Uint8Array) => {
      frames.push(chunk);
      for (let next = frames.next(); next !== undefined; next = frames.next()) {
        received.push(next.type);
      }
    });
    if (String(headers[":path"]).endsWith("/discover")) {
      const contentType = "application/vnd.restate.endpointmanifest.v4+json";
      stream.respond({ ":status": 200, "content-type": contentType });
      stream.end(manifest);
      return;
    }
    number += 1;
    const contentType = String(headers["content-type"]);
    behave({
      stream,
      contentType,
      number,
      received,
      answer: (parts, isOpen = false) => {
        stream.respond({ ":status": 200, "content-type": contentType });
        for (const part of parts) {
          stream.write(part instanceof Uint8Array ? part : encodeMessage(part));
        }
        if (!isOpen) stream.end();
      },
    });
  });
  return await listen(server);
}

export const END: Message = { type: MessageType.End };

export const output = (text: string): Message => ({
  type: MessageType.OutputCommand,
  name: "",
  result: { kind: "value", value: utf8(text) },
});

export const frame = (type: number, ...bytes: readonly number[]): Uint8Array =>
  encodeFrame(type, Uint8Array.from(bytes));
