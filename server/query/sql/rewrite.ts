/**
 * From the dialect that clients speak (close to Postgres) to SQLite's. It works on tokens: what stands in strings, comments and
 * quoted names stays as it is. `docs/sql.md` lists what is covered.
 */
import { operandStart, rewriteCasts } from "./casts.ts";
import { Edits } from "./edits.ts";
import { namesIn, typeOfExpression, type TypeOfName } from "./infer.ts";
import { restrictSources } from "./restrict.ts";
import { namesOfCtes, selectsOf, sourcesOf } from "./select.ts";
import { nameItems, nameSubqueries, unnestItems, withoutSchemas } from "./sources.ts";
import {
  group,
  isComma,
  isGroup,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  placed,
  print,
  word,
} from "./tree.ts";
import { RESTRICTABLE } from "../views/variants.ts";
import { rewriteWords } from "./words.ts";

export interface RewrittenSql {
  readonly sql: string;
  /** The types of the names in it, for the result. */
  readonly typeOf: TypeOfName;
  /** What the variants `ids` are to read. */
  readonly ids: ReadonlySet<string>;
  /** Everything selected from, views and subqueries alike. */
  readonly sources: ReadonlySet<string>;
}

const COMPARISONS = ["=", "==", "!=", "<>", "<", "<=", ">", ">="];
/** The begin of an ISO 8601 date or time. */
const DATE = /^\d{4}-\d\d-\d\d(?:$|[T ]\d\d:\d\d)/;
const BEHIND_ORDER = ["limit", "offset", "rows", "range", "groups", "union", "intersect", "except"];

/** Throws `SqlError`. */
export function rewrite(statement: readonly Node[], ofColumn: TypeOfName): RewrittenSql {
  const nodes = everywhere(nameItems(statement), (list) => {
    const edits = new Edits();
    withoutSchemas(list, edits);
    return edits.apply(list);
  });
  const typeOf = namesIn(nodes, ofColumn);
  const ctes = namesOfCtes(nodes);
  // A WITH that takes the name of a view means something else by it.
  const hidesView = [...RESTRICTABLE.keys()].some((view) => ctes.has(view));
  const ids = new Set<string>();
  const sources = new Set<string>();
  const rewritten = everywhere(nodes, (list) => {
    const edits = new Edits();
    for (const select of selectsOf(list)) {
      unnestItems(edits, list, select);
      if (select.from === undefined) continue;
      const found = sourcesOf(list, select.from);
      for (const { node } of found) if (isName(node)) sources.add(nameOf(node));
      nameSubqueries(edits, found);
      if (!hidesView) restrictSources(edits, list, select, ids);
    }
    rewriteDates(edits, list, typeOf);
    const inPlace = rewriteLimits(orderNulls(edits.apply(list)));
    return rewriteCasts(rewriteWords(inPlace, typeOf), typeOf);
  });
  return { sql: print(rewritten), typeOf, ids, sources };
}

/** Every list of nodes rewritten, inner ones first. */
function everywhere(
  nodes: readonly Node[],
  rewriteList: (list: readonly Node[]) => readonly Node[],
): readonly Node[] {
  return rewriteList(
    nodes.map((node) =>
      isGroup(node) ? { ...node, nodes: everywhere(node.nodes, rewriteList) } : node,
    ),
  );
}

/** Times are numbers: a text that a time is compared with becomes one, too. */
function rewriteDates(edits: Edits, nodes: readonly Node[], typeOf: TypeOfName): void {
  const isTime = (start: number, end: number) =>
    typeOfExpression(nodes.slice(start, end), typeOf) === "ts";
  for (const [at, node] of nodes.entries()) {
    if (node.kind !== "string" || !DATE.test(node.value)) continue;
    if (isWord(nodes[at - 1], "timestamp", "date", "interval")) continue;
    let operator = at - 1;
    // The second bound of BETWEEN a AND b.
    if (isWord(nodes[operator], "and") && isWord(nodes[operator - 2], "between")) operator -= 2;
    const isBehind =
      isSymbol(nodes[operator], ...COMPARISONS) || isWord(nodes[operator], "between");
    let operandEnd = operator;
    if (isBehind && isWord(nodes[operandEnd - 1], "not")) operandEnd -= 1;
    const isCompared =
      (isBehind && isTime(operandStart(nodes, operandEnd), operandEnd)) ||
      (isSymbol(nodes[at + 1], ...COMPARISONS) && isTime(at + 2, operandEndAt(nodes, at + 2)));
    if (!isCompared) continue;
    edits.replace(at, 1, [word("as_timestamp", node.before), group([placed(node, "")])]);
  }
}

/** Behind the name, path or call that begins at `start`. */
function operandEndAt(nodes: readonly Node[], start: number): number {
  let end = start + 1;
  while (isSymbol(nodes[end], ".")) end += 2;
  return isGroup(nodes[end]) ? end + 1 : end;
}

/** NULL is larger than everything, unlike in SQLite. */
function orderNulls(nodes: readonly Node[]): readonly Node[] {
  const edits = new Edits();
  for (let at = 0; at < nodes.length; at += 1) {
    if (!isWord(nodes[at], "order") || !isWord(nodes[at + 1], "by")) continue;
    at += 2;
    let start = at;
    for (; at <= nodes.length; at += 1) {
      const node = nodes[at];
      const isEnd = node === undefined || isWord(node, ...BEHIND_ORDER) || isSymbol(node, ";");
      if (!isEnd && !isComma(node)) continue;
      const item = nodes.slice(start, at);
      if (item.length > 0 && !item.some((each) => isWord(each, "nulls"))) {
        const isDescending = isWord(item.at(-1), "desc");
        edits.insert(at, [word("NULLS"), word(isDescending ? "FIRST" : "LAST")]);
      }
      start = at + 1;
      if (isEnd) break;
    }
  }
  return edits.apply(nodes);
}

/** `LIMIT ALL`, and OFFSET without LIMIT or in front of it. */
function rewriteLimits(nodes: readonly Node[]): readonly Node[] {
  const limit = nodes.findIndex((node) => isWord(node, "limit"));
  const offset = nodes.findIndex(
    (node, at) => isWord(node, "offset") && !isSymbol(nodes[at - 1], "."),
  );
  const edits = new Edits();
  if (isWord(nodes[limit + 1], "all")) edits.replace(limit + 1, 1, [word("-1")]);
  if (offset > 0 && limit < 0 && isOperand(nodes[offset + 1])) {
    edits.insert(offset, [word("LIMIT"), word("-1")]);
  } else if (offset > 0 && offset < limit) {
    const moved = nodes.slice(offset, limit);
    edits.replace(offset, limit - offset, []);
    edits.insert(limit + 2, moved);
  }
  return edits.apply(nodes);
}

function isOperand(node: Node | undefined): boolean {
  return node?.kind === "number" || isGroup(node);
}
