/** The parts of the dialect that are a matter of single words, operators and calls. */
import { castOf } from "./casts.ts";
import { Edits } from "./edits.ts";
import type { TypeOfName } from "./infer.ts";
import { SqlError, type Token } from "./tokens.ts";
import {
  group,
  type Group,
  isGroup,
  isKeyword,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  placed,
  quoted,
  string,
  symbol,
  word,
} from "./tree.ts";

const INT64_MAX = 2n ** 63n - 1n;

/** Functions that SQLite has under another name. */
const RENAMED: ReadonlyMap<string, string> = new Map([
  ["any_value", "first_of"],
  ["approx_percentile_cont", "percentile_cont"],
  ["array_contains", "array_has"],
  ["array_length", "json_array_length"],
  ["bool_and", "min"],
  ["bool_or", "max"],
  ["btrim", "trim"],
  ["cardinality", "json_array_length"],
  ["char_length", "length"],
  ["character_length", "length"],
  ["greatest", "max"],
  ["least", "min"],
  ["strpos", "instr"],
]);
/** As aggregates; with OVER they are SQLite's own window functions. */
const FIRST_AND_LAST: ReadonlyMap<string, string> = new Map([
  ["first_value", "first_of"],
  ["last_value", "last_of"],
]);
const UNITS = /^(?:millisecond|second|minute|hour|day|week|month|year)s?$/;

/** The list with every word, operator and call as SQLite has it; what is in groups has been rewritten before. */
export function rewriteWords(nodes: readonly Node[], typeOf: TypeOfName): readonly Node[] {
  const edits = new Edits();
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    if (node?.kind === "number") rewriteNumber(edits, at, node);
    else if (node?.kind === "symbol") rewriteOperator(edits, nodes, at, node);
    else if (node?.kind === "word") at += rewriteWord(edits, { nodes, at, node }, typeOf);
  }
  return edits.apply(nodes);
}

/** A partition key that SQLite's integers do not hold is text in the views. */
function rewriteNumber(edits: Edits, at: number, node: Token): void {
  if (node.text.length < 19 || !/^\d+$/.test(node.text)) return;
  if (BigInt(node.text) > INT64_MAX) edits.replace(at, 1, [string(node.text, node.before)]);
}

/** Matching a regular expression is an infix operator of its own in SQLite, too. */
function rewriteOperator(edits: Edits, nodes: readonly Node[], at: number, node: Token): void {
  const previous = nodes[at - 1];
  const isBinary = previous !== undefined && previous.kind !== "symbol" && !isKeyword(previous);
  if (!isBinary || !isSymbol(node, "~", "~*", "!~", "!~*")) return;
  const replaced: Node[] = node.text.startsWith("!")
    ? [word("NOT"), word("REGEXP")]
    : [word("REGEXP")];
  if (node.text.endsWith("*")) replaced.push(string("(?i)"), symbol("||", " "));
  edits.replace(at, 1, replaced);
}

interface Place {
  readonly nodes: readonly Node[];
  readonly at: number;
  readonly node: Token;
}

/** Returns how many further nodes it took. */
function rewriteWord(edits: Edits, place: Place, typeOf: TypeOfName): number {
  const { nodes, at, node } = place;
  const next = nodes[at + 1];
  if (node.value === "index") {
    edits.replace(at, 1, [quoted(node.text.toLowerCase(), node.before)]);
    return 0;
  }
  if (isSymbol(nodes[at - 1], ".")) return 0;
  if (isGroup(next)) return rewriteCall(edits, place, next, typeOf);
  switch (node.value) {
    case "ilike":
      edits.replace(at, 1, [word("MATCH", node.before)]);
      return 0;
    case "current_timestamp":
      edits.replace(at, 1, [word("now", node.before), group([])]);
      return 0;
    case "interval":
      return rewriteInterval(edits, place);
    case "timestamp":
    case "date":
      if (next?.kind !== "string") return 0;
      edits.replace(at, 2, [word("as_timestamp", node.before), group([placed(next, "")])]);
      return 1;
    default:
      return 0;
  }
}

/** `INTERVAL '1 hour'`, or `INTERVAL '1' HOUR`. */
function rewriteInterval(edits: Edits, { nodes, at, node }: Place): number {
  const amount = nodes[at + 1];
  if (amount?.kind !== "string") return 0;
  const unit = nodes[at + 2];
  const hasUnit = unit?.kind === "word" && UNITS.test(unit.value);
  const args = [placed(amount, "")];
  if (hasUnit) args.push(symbol(","), string(unit.value));
  const call = [word("interval", node.before), group(args)];
  edits.replace(at, hasUnit ? 3 : 2, call);
  return hasUnit ? 2 : 1;
}

function rewriteCall(edits: Edits, place: Place, args: Group, typeOf: TypeOfName): number {
  const { nodes, at, node } = place;
  const asAggregate = isWindow(nodes, at + 2) ? undefined : FIRST_AND_LAST.get(node.value);
  const renamed = asAggregate ?? RENAMED.get(node.value);
  if (renamed !== undefined) {
    edits.replace(at, 1, [word(renamed, node.before)]);
    return 1;
  }
  if (isWord(node, "cast", "try_cast")) {
    const as = args.nodes.findLastIndex((each) => isWord(each, "as"));
    if (as < 0) throw new SqlError("CAST is written CAST(x AS type)");
    const type = args.nodes[as + 1];
    edits.replace(at, 2, castOf(args.nodes.slice(0, as), type, node.before, typeOf));
    return 1;
  }
  if (isWord(node, "extract") && isWord(args.nodes[1], "from")) {
    const part = args.nodes[0];
    if (!isName(part)) throw new SqlError("EXTRACT is written EXTRACT(part FROM x)");
    const values = [string(nameOf(part), ""), symbol(","), ...args.nodes.slice(2)];
    edits.replace(at, 2, [word("date_part", node.before), group(values)]);
    return 1;
  }
  return 0;
}

function isWindow(nodes: readonly Node[], behindCall: number): boolean {
  const isFiltered = isWord(nodes[behindCall], "filter") && isGroup(nodes[behindCall + 1]);
  return isWord(nodes[isFiltered ? behindCall + 2 : behindCall], "over");
}
