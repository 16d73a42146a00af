/** Casts: types of other engines as SQLite's, and times, durations and booleans, which it does not have. */
import type { ColumnType } from "../views/column-type.ts";
import { typeOfExpression, type TypeOfName } from "./infer.ts";
import { SqlError } from "./tokens.ts";
import {
  group,
  isGroup,
  isKeyword,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  string,
  symbol,
  word,
} from "./tree.ts";

/** `x::type`, also several in a row. */
export function rewriteCasts(all: readonly Node[], typeOf: TypeOfName): readonly Node[] {
  let nodes = all;
  for (;;) {
    const at = nodes.findIndex((node) => isSymbol(node, "::"));
    if (at < 0) return nodes;
    const start = operandStart(nodes, at);
    let end = at + 2;
    if (isGroup(nodes[end])) end += 1;
    if (isWord(nodes[end], "unsigned", "precision")) end += 1;
    const operand = nodes.slice(start, at);
    const [first] = operand;
    if (first === undefined) throw new SqlError("there is nothing in front of ::");
    const cast = castOf(operand, nodes[at + 1], first.before, typeOf);
    nodes = nodes.toSpliced(start, end - start, ...cast);
  }
}

/** Where the operand that ends before `end` begins. */
export function operandStart(nodes: readonly Node[], end: number): number {
  let at = end - 1;
  if (isWord(nodes[at], "end")) {
    while (at > 0 && !isWord(nodes[at], "case")) at -= 1;
    return at;
  }
  if (isGroup(nodes[at]) && isName(nodes[at - 1]) && !isKeyword(nodes[at - 1])) {
    at -= 1;
  }
  while (at > 1 && isSymbol(nodes[at - 1], ".")) at -= 2;
  return Math.max(at, 0);
}

/** `type` is the first word behind AS. */
export function castOf(
  operand: readonly Node[],
  type: Node | undefined,
  before: string,
  typeOf: TypeOfName,
): readonly Node[] {
  const name = isName(type) ? nameOf(type) : "";
  const call = (functionName: string) => [word(functionName, before), group(operand)];
  if (/^(?:timestamp|timestamptz|datetime)$/.test(name)) return call("as_timestamp");
  if (name === "date") {
    const args = [string("day", ""), symbol(","), ...operand];
    return [word("date_trunc", before), group(args)];
  }
  if (/^bool(?:ean)?$/.test(name)) return call("to_boolean");
  if (name === "interval") return call("interval");
  const target = castTarget(name);
  if (target === undefined)
    throw new SqlError(`there is no type ${name === "" ? "here" : name} to cast to`);
  const own: ColumnType | undefined = typeOfExpression(operand, typeOf);
  if (target === "TEXT" && own === "ts") return call("timestamp_text");
  if (target === "TEXT" && own === "dur") return call("duration_text");
  return [word("CAST", before), group([...operand, word("AS"), word(target)])];
}

function castTarget(name: string): string | undefined {
  if (/^(?:text|string|utf8|largeutf8|varchar|char)$/.test(name)) return "TEXT";
  if (/^u?(?:tiny|small|big)?int(?:eger|[248]|8|16|32|64)?$/.test(name)) return "INTEGER";
  if (/^(?:double|float|float[48]|float32|float64|real)$/.test(name)) return "REAL";
  if (/^(?:decimal|numeric)$/.test(name)) return "NUMERIC";
  if (/^(?:bytea|blob|binary|varbinary)$/.test(name)) return "BLOB";
  return undefined;
}
