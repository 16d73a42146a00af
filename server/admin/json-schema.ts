/** Makes a JSON schema that a handler declares a part of an OpenAPI document: its own references are moved with it; pure. */

/** Deeper parts of a schema are replaced by one that allows anything. */
const DEPTH_MAX = 100;

/** Keywords whose value is data. */
const DATA: ReadonlySet<string> = new Set(["const", "enum", "default", "examples", "example"]);

/** Keywords whose value maps names to schemas. */
const NAMED: ReadonlySet<string> = new Set([
  "$defs",
  "definitions",
  "dependentSchemas",
  "patternProperties",
  "properties",
]);

/** `pointer` is where the schema will stand, such as `#/components/schemas/A`. */
export function relocated(schema: unknown, pointer: string): unknown {
  if (!isRecord(schema)) return schema;
  const { $id: id, $schema: _dialect, ...rest } = schema;
  const own = typeof id === "string" ? id.replace(/#.*$/, "") : null;
  return new Relocation(pointer, own).schema(rest, 0);
}

class Relocation {
  readonly #pointer: string;
  /** The URI that the schema gives itself: its references may name it. */
  readonly #own: string | null;

  constructor(pointer: string, own: string | null) {
    this.#pointer = pointer;
    this.#own = own;
  }

  schema(value: unknown, depth: number): unknown {
    if (depth > DEPTH_MAX) return {};
    if (Array.isArray(value)) return value.map((each: unknown) => this.schema(each, depth + 1));
    if (!isRecord(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([keyword, part]) => [
        keyword,
        this.#keyword(keyword, part, depth + 1),
      ]),
    );
  }

  #keyword(keyword: string, part: unknown, depth: number): unknown {
    if (DATA.has(keyword)) return part;
    if (keyword === "$ref" || keyword === "$dynamicRef") {
      return typeof part === "string" ? this.#reference(part) : part;
    }
    if (!NAMED.has(keyword) || !isRecord(part)) return this.schema(part, depth);
    return Object.fromEntries(
      Object.entries(part).map(([name, schema]) => [name, this.schema(schema, depth + 1)]),
    );
  }

  /** Pointers move with the schema; names of anchors and other documents stay. */
  #reference(reference: string): string {
    const at = reference.indexOf("#");
    const [document, fragment] =
      at < 0 ? [reference, ""] : [reference.slice(0, at), reference.slice(at + 1)];
    const isOwn = document === "" || document === this.#own;
    return isOwn && (fragment === "" || fragment.startsWith("/"))
      ? this.#pointer + fragment
      : reference;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
