/** An OTLP collector on loopback that keeps what it was sent. The schema holds the fields that are looked at. */
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import protobuf from "protobufjs";

/** opentelemetry-proto 1.x: collector/trace/v1, trace/v1, common/v1, resource/v1. */
const SCHEMA = `
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Scope { string name = 1; string version = 2; }
  message Event { fixed64 time_unix_nano = 1; string name = 2; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4;
    string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; repeated Event events = 11; Status status = 15; fixed32 flags = 16;
  }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message ExportRequest { repeated ResourceSpans resource_spans = 1; }`;

const ExportRequest = protobuf.parse(SCHEMA).root.lookupType("ExportRequest");

type Attributes = Readonly<Record<string, unknown>>;

/** Ids in hex, times in nanoseconds. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Attributes;
  readonly events: readonly string[];
  /** 0 unset, 2 error. */
  readonly statusCode: number;
  readonly statusMessage: string;
  readonly resource: Attributes;
  readonly scope: string;
}

interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly spans: readonly CollectedSpan[];
}

export class Collector {
  readonly received: Received[] = [];
  /** What the next exports are answered with. */
  status = 200;
  /** Exports are read and never answered. */
  isMute = false;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const spans = spansOf(Buffer.concat(chunks));
        this.received.push({ path: request.url ?? "", headers: request.headers, spans });
        if (!this.isMute) response.writeHead(this.status).end();
      });
    });
  }

  static async listen(): Promise<Collector> {
    const collector = new Collector();
    await new Promise<void>((done) => {
      collector.#server.listen(0, "127.0.0.1", done);
    });
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): readonly CollectedSpan[] {
    return this.received.flatMap(({ spans }) => spans);
  }

  span(name: string): CollectedSpan {
    const found = this.spans.filter((each) => each.name === name);
    const [first] = found;
    if (found.length !== 1 || first === undefined) {
      throw new Error(`${found.length} spans ${name} in ${this.spans.map((s) => s.name).join()}`);
    }
    return first;
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((done) => {
      this.#server.close(() => done());
    });
  }
}

interface WireAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly traceState: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly WireAttribute[];
  readonly events: readonly { readonly name: string }[];
  readonly status: { readonly code: number; readonly message: string };
}

interface WireRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: readonly {
      readonly scope: { readonly name: string };
      readonly spans: readonly WireSpan[];
    }[];
  }[];
}

function spansOf(body: Buffer): CollectedSpan[] {
  const options = { longs: String, bytes: String, defaults: true, arrays: true };
  const decoded = ExportRequest.toObject(ExportRequest.decode(body), options) as WireRequest;
  return decoded.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => ({
        ...span,
        traceId: hex(span.traceId),
        spanId: hex(span.spanId),
        parentSpanId: hex(span.parentSpanId),
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: attributesOf(span.attributes),
        events: span.events.map(({ name }) => name),
        statusCode: span.status.code,
        statusMessage: span.status.message,
        resource: attributesOf(resource.attributes),
        scope: scope.name,
      })),
    ),
  );
}

function hex(base64: string): string {
  return Buffer.from(base64, "base64").toString("hex");
}

function attributesOf(pairs: readonly WireAttribute[]): Attributes {
  const entries = pairs.map(({ key, value }) => {
    const [kind, plain] = Object.entries(value)[0] ?? ["", null];
    return [key, kind === "intValue" ? Number(plain) : plain] as const;
  });
  return Object.fromEntries(entries);
}
