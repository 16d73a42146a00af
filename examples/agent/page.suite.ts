/** The page in as much of a browser as it uses: elements by their ids, events, and the real fetch. */
import assert from "node:assert/strict";
import vm from "node:vm";

interface PageElement {
  textContent: string;
  value: string;
  hidden: boolean;
}

export interface OpenPage {
  element(id: string): PageElement;
  click(id: string): void;
  submit(id: string): void;
}

export async function openPage(url: string): Promise<OpenPage> {
  const html = await (await fetch(url)).text();
  const script = /<script>([^]*)<\/script>/.exec(html)?.[1];
  assert.ok(script !== undefined, "the page has a script");
  const elements = new Map<string, FakeElement>();
  for (const [tag, id = ""] of html.matchAll(/<[^>]* id="(\w+)"[^>]*>/g)) {
    elements.set(id, new FakeElement(tag));
  }
  const element = (id: string): FakeElement => {
    const found = elements.get(id);
    assert.ok(found !== undefined, `no element ${id}`);
    return found;
  };
  const document = { getElementById: element, createElement: () => new FakeElement("") };
  const { search } = new URL(url);
  vm.runInNewContext(script, {
    document,
    location: { search, hash: "" },
    fetch,
    setTimeout,
    URLSearchParams,
  });
  return {
    element,
    click: (id) => element(id).fire("click"),
    submit: (id) => element(id).fire("submit"),
  };
}

class FakeElement implements PageElement {
  textContent = "";
  value: string;
  hidden: boolean;
  readonly #listeners = new Map<string, (event: object) => unknown>();

  /** @param tag as it stands in the page */
  constructor(tag: string) {
    this.value = / value="([^"]*)"/.exec(tag)?.[1] ?? "";
    this.hidden = / hidden\b/.test(tag);
  }

  addEventListener(type: string, listener: (event: object) => unknown): void {
    this.#listeners.set(type, listener);
  }

  replaceChildren(...children: readonly FakeElement[]): void {
    this.textContent = children.map(({ textContent }) => textContent).join("\n");
  }

  fire(type: string): void {
    const listener = this.#listeners.get(type);
    assert.ok(listener !== undefined, `nobody listens for ${type}`);
    listener({ preventDefault: () => {} });
  }
}
